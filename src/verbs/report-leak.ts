import * as z from 'zod'
import { aboutToken } from '../activity/about-token.js'
import type { LeakAction, LeakReported, StoredEvent } from '../model/event.js'
import { isSender } from '../model/own-actor.js'
import { ownFields } from '../model/own-fields.js'
import type { StoredToken } from '../model/record.js'
import { toPlain } from '../policy/plain-text.js'
import { readShape, text } from '../policy/shape.js'
import { deriveId } from '../token/derive-id.js'
import { redact, withoutToken } from '../token/redact.js'
import type { Context } from '../verify/context.js'
import { findByToken, recordOf } from '../verify/identify.js'
import { viewRecord } from '../verify/view-record.js'
import { stop } from './deactivate.js'
import { canSee, type ReadActor } from './lib/actor.js'
import { noteOutOfReach } from './lib/attempts.js'
import { auditEvent } from './lib/audit.js'
import { commit, findVisible, type Step, timeOfChange, withChanges } from './lib/change.js'
import { takingTurns } from './lib/line.js'
import { revokeOutright } from './lib/revoke-outright.js'

type Given = { token: string; source?: string | undefined; url?: string | undefined; type?: string | undefined; action: LeakAction }

const MAX_URL = 2000

// The person who leaked the token controls this text. It must not block the report, so forbidden text is removed instead of refused.
function told(max: number): z.ZodType<string> {
  return z.preprocess((given) => (typeof given === 'string' ? redact(toPlain(given)) : given), text(0, max))
}

const shape: z.ZodType<Given> = z.strictObject({
  token: z.string({ error: 'must be the token that was found, as a string' }),
  source: told(200).optional(),
  url: told(MAX_URL).optional(),
  type: told(200).optional(),
  action: z.enum(['revoke', 'deactivate', 'notify'], { error: "must be 'revoke', 'deactivate' or 'notify'" }),
})

/**
 * Records in the audit log that a token was found where it should not be, and acts on the report. Both happen in one transaction. If changes by
 * other nodes keep preventing that, the token is revoked first, and the report is recorded afterward.
 *
 * Reporting the same finding again changes nothing: its event is written once, and revocation is final. The token's text is not passed on. A token that the
 * actor cannot see is treated as unknown.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function reportLeak(context: Context, actor: ReadActor, input: unknown): Promise<LeakReported> {
  const given = withoutSecret(readShape(shape, input, 'reportLeak()'))
  const behind = await findByToken(context, given.token, { id: actor.id, signed: isSender(actor.id) })
  const found = behind && recordOf(behind, (record) => canSee(actor, record))
  if (found === undefined || !canSee(actor, found)) {
    noteOutOfReach(context, actor, 'reportLeak', {})
    return { known: false }
  }
  let repeated = false
  return await takingTurns<LeakReported>(
    context,
    found.id,
    given.action === 'revoke' ? 'revocation' : 'stop',
    async (_inTurn, isOutrun) => {
      const current = await findVisible(context, found.id, actor)
      const now = timeOfChange(context)
      const leak = leakEvent(current, given, actor, now)
      const step = stepOf(current, given.action, actor, now)
      const events = [...(repeated ? [] : [leak]), ...(step === undefined ? [] : [step.event])]
      if (events.length === 0) return { known: true, repeated, record: viewRecord(current, now) }
      if (isOutrun && step !== undefined) {
        // The report itself follows, in a change that no edit can delay.
        await revokeOutright(context, step.record, step.event)
        return undefined
      }
      const updates = step === undefined ? [] : [{ expectedVersion: current.version, record: step.record }]
      const result = await commit(context, { updates, events })
      if (result.ok) return { known: true, repeated, record: viewRecord(step?.record ?? current, now) }
      // This leak was reported before. Only its action may still have to be done.
      if (result.conflict === leak.id) repeated = true
      return undefined
    },
  )
}

/** The general redaction recognizes neither the format of an imported token nor parts of a secret. */
function withoutSecret({ token, action, ...told }: Given): Given {
  const texts = Object.entries(told).map(([name, told]) => [name, told === undefined ? undefined : withoutToken(told, token)])
  return ownFields({ token, action, ...Object.fromEntries(texts) })
}

function stepOf(current: StoredToken, action: LeakAction, actor: ReadActor, now: number): Step {
  if (action === 'notify' || current.revokedAt !== undefined) return undefined
  if (action === 'deactivate') return stop(current, actor, now)
  const record = withChanges(current, now, { revokedAt: now, revokedBy: actor.id, revokedCode: 'leaked', rotationDueAt: undefined })
  return { record, event: auditEvent('token.revoked', actor, now, { before: current, after: record }) }
}

function leakEvent(stored: StoredToken, given: Given, actor: ReadActor, at: number): StoredEvent {
  const { id, prefix } = stored
  const { action, source, url, type } = given
  return {
    id: deriveId(['leak', prefix, id, source ?? '', url ?? '']),
    at,
    action: 'token.leaked',
    prefix,
    actorId: actor.id,
    ...aboutToken(stored),
    ...(actor.ip !== undefined && { ip: actor.ip }),
    details: { action, ...(source !== undefined && { source }), ...(url !== undefined && { url }), ...(type !== undefined && { type }) },
  }
}
