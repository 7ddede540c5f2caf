import * as z from 'zod'
import { headShape } from '../audit/anchors.js'
import { eraseFields, isPersonalPath } from '../audit/event-digest.js'
import { type EventProof, proofOf } from '../audit/proof.js'
import { bareSeal, type Seal } from '../audit/seal.js'
import { ConflictError, InvalidInputError } from '../errors.js'
import type { KnownHead } from '../model/audit.js'
import type { StoredEvent } from '../model/event.js'
import { FIELDS } from '../model/fields.js'
import { refuseUndefined } from '../policy/read-input.js'
import { readShape, text } from '../policy/shape.js'
import type { Context } from '../verify/context.js'
import { checkSeesAll, type ReadActor } from './lib/actor.js'
import { firstSeal, mustOpen, newestSeal } from './lib/seals.js'

const SEALS = 50

type Given = { head?: KnownHead | undefined; hide?: readonly string[] | undefined }

const shape: z.ZodType<Given> = z.strictObject({ head: headShape.optional(), hide: z.array(text(1, 200)).max(100).optional() })

/**
 * Proves that the audit log contains an event.
 *
 * @throws InvalidInputError `invalid_input`, when the event does not exist, the head does not match, or `hide` names a field that is not personal
 * @throws ConflictError `conflict`, for an event that is not sealed yet or no longer matches its seal
 * @throws GrantDeniedError `grant_denied`, for an actor that cannot see every event
 */
export async function proveEvent(context: Context, actor: ReadActor, id: unknown, input: unknown): Promise<EventProof> {
  checkSeesAll(actor, 'a proof')
  if (typeof id !== 'string') throw new InvalidInputError('id', 'must be the ID of an event, as a string')
  refuseUndefined(input, ['head', 'hide'])
  const { head, hide = [] } = readShape(shape, input === undefined ? {} : input, 'proveEvent()')
  const { prefix } = context.settings
  const [event] = await context.store.events({ prefix, id, limit: 1 })
  if (event === undefined) throw new InvalidInputError('id', 'is not the ID of a stored event')
  checkHidden(hide, event)
  const newest = await newestSeal(context)
  if (newest === undefined || newest.lastSeq < event.seq)
    throw new ConflictError('conflict', 'the event is not sealed yet: call sealAudit()')
  const seal = await firstSeal(context, newest, ({ lastSeq }) => lastSeq < event.seq)
  if (head !== undefined && head.number < seal.number) {
    throw new InvalidInputError('head', `is older than the event, which seal ${seal.number} covers`)
  }
  if (head !== undefined && head.number > newest.number) throw new InvalidInputError('head', `is after the last seal, ${newest.number}`)
  const behind = await sealsUpTo(context, seal.number, head?.number ?? seal.number)
  const hidden = new Set(hide)
  const proof = proofOf(
    eraseFields(event, (path) => hidden.has(path)),
    seal,
    behind,
  )
  if (proof === undefined) throw new ConflictError('conflict', 'the event differs from what was sealed: see verifyAudit()')
  return proof
}

/**
 * Refuses a path that matches no field, because the value that the caller meant to hide would stay in the proof. A valid field that this event lacks is
 * allowed.
 */
function checkHidden(hide: readonly string[], event: StoredEvent): void {
  for (const [i, path] of hide.entries()) {
    const [field = '', ...rest] = path.split('.')
    const member = rest.join('.')
    const members = field === 'details' ? (event.details ?? {}) : FIELDS
    if (!isPersonalPath(path) || (member !== '' && !Object.hasOwn(members, member))) {
      throw new InvalidInputError(['hide', i], 'is not a personal field of this event: name one such as actorId, ownerId or after.name')
    }
  }
}

async function sealsUpTo(context: Context, from: number, to: number): Promise<readonly Seal[]> {
  const seals: Seal[] = []
  for (let after = from; after < to; ) {
    const page = await context.store.seals({ prefix: context.settings.prefix, after, limit: Math.min(SEALS, to - after) })
    if (page.length === 0) break
    seals.push(...page.map((stored) => bareSeal(mustOpen(stored))))
    after = page.at(-1)?.number ?? to
  }
  return seals
}
