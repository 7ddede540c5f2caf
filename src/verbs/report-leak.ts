import * as z from 'zod'
import type { LeakAction, LeakReported, StoredEvent } from '../model/event.js'
import type { StoredToken, TokenRecord } from '../model/record.js'
import { readShape, text } from '../policy/shape.js'
import { deriveId } from '../token/derive-id.js'
import { redact } from '../token/redact.js'
import type { Context } from '../verify/context.js'
import { findByToken } from '../verify/identify.js'
import { viewRecord } from '../verify/view-record.js'
import { deactivate } from './deactivate.js'
import { type ReadActor, readActor } from './lib/actor.js'
import { commit } from './lib/change.js'
import { revoke } from './revoke.js'

type Given = { token: string; source?: string | undefined; url?: string | undefined; type?: string | undefined; action: LeakAction }

const MAX_URL = 2000

const shape: z.ZodType<Given> = z.strictObject({
  token: z.string({ error: 'must be the token that was found, a string' }),
  source: text(0, 200).optional(),
  url: text(0, MAX_URL).optional(),
  type: text(0, 200).optional(),
  action: z.enum(['revoke', 'deactivate', 'notify'], { error: "must be 'revoke', 'deactivate' or 'notify'" }),
})

/**
 * Puts into the audit that a token was found where it should not be, and acts on it.
 *
 * Whoever reports the same find again changes nothing: its event stands once, and revoking is final anyway. The token's text goes no further.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function reportLeak(context: Context, input: unknown, by: unknown): Promise<LeakReported> {
  const actor = readActor(by)
  const given = readShape(shape, input, 'reportLeak()')
  const stored = await findByToken(context, given.token)
  if (stored === undefined) return { known: false }
  // A conflict means that this find was reported before.
  const result = await commit(context, { events: [leakEvent(stored, given, actor, context.settings.clock())] })
  const record = await act(context, stored, given.action, by)
  return { known: true, repeated: !result.ok, record }
}

async function act(context: Context, stored: StoredToken, action: LeakAction, by: unknown): Promise<TokenRecord> {
  if (action === 'revoke') return revoke(context, stored.id, {}, by, 'leaked')
  if (action === 'deactivate' && stored.revokedAt === undefined) return deactivate(context, stored.id, by)
  return viewRecord(stored, context.settings.clock())
}

function leakEvent(stored: StoredToken, given: Given, actor: ReadActor, at: number): StoredEvent {
  const { id, prefix, tenantId, ownerId, createdBy } = stored
  const { action } = given
  // An address may hold the token itself, in a query or a fragment.
  const [source, url, type] = [given.source, given.url, given.type].map((told) => (told === undefined ? undefined : redact(told)))
  return {
    id: deriveId(['leak', prefix, id, source ?? '', url ?? '']),
    at,
    action: 'token.leaked',
    prefix,
    actorId: actor.id,
    tokenId: id,
    createdBy,
    ...(tenantId !== undefined && { tenantId }),
    ...(ownerId !== undefined && { ownerId }),
    ...(actor.ip !== undefined && { ip: actor.ip }),
    details: { action, ...(source !== undefined && { source }), ...(url !== undefined && { url }), ...(type !== undefined && { type }) },
  }
}
