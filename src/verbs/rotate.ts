import * as z from 'zod'
import { rootIdOf } from '../cache/entry.js'
import { ConflictError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import { ownFields } from '../model/own-fields.js'
import type { Minted, Replayed, StoredToken } from '../model/record.js'
import type { Expiry } from '../policy/expiry.js'
import { durationSchema } from '../policy/field-schema.js'
import { refuseUndefined } from '../policy/read-input.js'
import { readShape, text } from '../policy/shape.js'
import { statusOf } from '../policy/status.js'
import { deriveId, fingerprint } from '../token/derive-id.js'
import { generateId, mintToken } from '../token/generate.js'
import type { Context } from '../verify/context.js'
import { viewRecord } from '../verify/view-record.js'
import { creationId, keyReused } from './create.js'
import { isHolder, type ReadActor } from './lib/actor.js'
import { concerning } from './lib/attempts.js'
import { auditEvent } from './lib/audit.js'
import { capsOnOverlap, capsOnTransfer } from './lib/caps.js'
import { commit, findVisible, timeOfChange, withChanges } from './lib/change.js'
import { checkHandout, checkOwner } from './lib/handout.js'
import { takingTurns } from './lib/line.js'
import { endingForSuccessor } from './lib/same-secret.js'

/** An overlap is for switching to the new token, not for a permanent second token. */
const MAX_OVERLAP_SECONDS = 90 * 86_400

type Given = { overlap?: number | undefined; ownerId?: string | undefined; idempotencyKey?: string | undefined }

/** The parts of a request that its retries under the same key must repeat. The owner is absent unless it changes. */
type Asked = { readonly overlap: number; readonly ownerId?: string }

/** How long the old token keeps working. */
export const overlapSchema: z.ZodType<number> = durationSchema({ min: 0, max: MAX_OVERLAP_SECONDS }).meta({
  description: 'How long the old token keeps working alongside the new one. 0, the default, revokes it immediately.',
})

/** Input schema of `rotate`. */
export const rotateShape: z.ZodType<Given> = z
  .strictObject({
    overlap: overlapSchema.optional(),
    ownerId: text(1, 200)
      .meta({ description: 'The owner of the successor, if it should belong to someone else. Absent: the owner of the old token.' })
      .optional(),
    idempotencyKey: text(1, 255).optional(),
  })
  .meta({ id: 'RotateToken' })

/**
 * Replaces a token with a successor that has the same settings. The old token is revoked now, or stays valid for the overlap but never past its own expiry.
 *
 * Concurrent rotations produce one successor: the commit that inserts it also writes its ID into the old record.
 *
 * With another `ownerId`, the successor belongs to that owner and begins a lineage of its own. The old token stays with its owner, who may have kept its text.
 *
 * @throws InvalidInputError `invalid_input`, including when `ownerId` is present but `undefined`
 * @throws NotFoundError `not_found`
 * @throws GrantDeniedError `grant_denied`, when the token has more permissions than the actor can grant, or an owner that the actor cannot name
 * @throws ConflictError `conflict`, when it is revoked, expired or inactive, or was already rotated; `idempotency_key_reused`;
 * `token_limit_reached`, when too many predecessors are still in their overlap, or the other owner has too many tokens
 */
export async function rotate(context: Context, actor: ReadActor, id: unknown, input: unknown): Promise<Minted | Replayed> {
  const { overlap = 0, ownerId, idempotencyKey } = ownFields(readShape(rotateShape, input === undefined ? {} : input, 'rotate()'))
  refuseUndefined(input, ['ownerId'], 'to keep the owner')
  return await takingTurns<Minted | Replayed>(context, id, 'stop', async () => {
    const old = await findVisible(context, id, actor)
    const now = timeOfChange(context)
    const newOwner = ownerId === old.ownerId ? undefined : ownerId
    const asked: Asked = ownFields(newOwner === undefined ? { overlap } : { overlap, ownerId: newOwner })
    const derivedId =
      idempotencyKey === undefined ? undefined : deriveId(['rotate', context.settings.prefix, actor.id, old.id, idempotencyKey])
    if (old.replacedById !== undefined) {
      if (old.replacedById === derivedId) return replay(context, derivedId, asked)
      throw new ConflictError('conflict', `this token was already rotated: ${old.replacedById} replaces it`)
    }
    const parent = await concerning(old, () => endingForSuccessor(context, actor, old, now))
    const successor = mintSuccessor(context, parent, actor, derivedId, asked, now)
    refuseUnlessAlive(old, now)
    await concerning(old, async () => {
      await checkHandout(context, actor, successor.record)
      // Requests with the successor act as its owner, as with a new token. A holder that rotates its own token already acts as that owner.
      if (newOwner !== undefined || !isHolder(actor)) await checkOwner(context, actor, successor.record)
    })
    const ended = endOld(old, successor.record.id, actor, overlap, now)
    const overlapping = overlap === 0 ? [] : await capsOnOverlap(context, old, now)
    const caps = newOwner === undefined ? overlapping : capsOnTransfer(context, overlapping, successor.record, now)
    const result = await commit(context, {
      caps,
      inserts: [successor.record],
      updates: [{ expectedVersion: old.version, record: ended }],
      events: [
        auditEvent('token.rotated', actor, now, {
          before: old,
          after: ended,
          details: { successorId: successor.record.id, overlapSeconds: overlap },
        }),
        ...(newOwner === undefined ? [] : [transferred(old, ended, actor, newOwner, now)]),
        auditEvent('token.created', actor, now, {
          after: successor.record,
          details: { replacesId: old.id },
          id: derivedId && creationId(derivedId),
        }),
      ],
    })
    return result.ok ? { token: successor.token, record: viewRecord(successor.record, now) } : undefined
  })
}

/** The event belongs to the old token, so administrators of that token's tenant see it. Both owner IDs are in fields that `erase` searches. */
function transferred(old: StoredToken, ended: StoredToken, actor: ReadActor, ownerId: string, now: number): StoredEvent {
  const event = auditEvent('owner.transferred', actor, now, { after: ended, details: { successorId: ended.replacedById ?? null } })
  return { ...event, before: old.ownerId === undefined ? {} : { ownerId: old.ownerId }, after: { ownerId } }
}

function refuseUnlessAlive(old: StoredToken, now: number): void {
  const status = statusOf(old, now)
  if (status === 'active' || status === 'pending') return
  const way = status === 'inactive' ? 'activate it first' : 'create a new one'
  throw new ConflictError('conflict', `this token is ${status}, and rotation would revive it: ${way}`)
}

function mintSuccessor(
  context: Context,
  old: StoredToken,
  actor: ReadActor,
  derivedId: string | undefined,
  asked: Asked,
  now: number,
): { token: string; record: StoredToken } {
  const { prefix, digesters, random } = context.settings
  const id = derivedId ?? generateId(random)
  const [digester] = digesters
  const { token, digest } = mintToken(prefix, id, digester, random)
  const { rotateEverySeconds } = old
  // The creator of the old token does not manage the new owner's token, and cannot end its lineage by presenting the old token.
  const lineage =
    asked.ownerId === undefined ? { rootId: rootIdOf(old) } : { ownerId: asked.ownerId, createdBy: actor.id, rootId: undefined }
  const record = withChanges(old, now, {
    expiresAt: endOfSuccessor(old, now, context.settings.expiry),
    id,
    digest,
    pepperId: digester.pepperId,
    createdAt: now,
    rotationDueAt: rotateEverySeconds === undefined ? undefined : now + rotateEverySeconds * 1000,
    replacesId: old.id,
    replacedById: undefined,
    importedFrom: undefined,
    importedHash: undefined,
    ...lineage,
    requestHash: derivedId === undefined ? undefined : fingerprint(asked),
  })
  return { token, record: ownFields({ ...record, version: 1 }) }
}

/**
 * Returns the expiry of a successor: that of the old token, limited to the longest lifetime that the options allow for a new token. If the options require
 * an expiry and the old token has none, the default applies.
 */
function endOfSuccessor(old: StoredToken, now: number, { defaultSeconds, maxSeconds, required }: Expiry): number | undefined {
  const latest = maxSeconds === undefined ? undefined : now + maxSeconds * 1000
  if (old.expiresAt !== undefined) return latest === undefined ? old.expiresAt : Math.min(old.expiresAt, latest)
  if (latest !== undefined) return defaultSeconds === undefined ? latest : Math.min(latest, now + defaultSeconds * 1000)
  if (!required) return undefined
  if (defaultSeconds !== undefined) return now + defaultSeconds * 1000
  throw new ConflictError('conflict', 'tokens must expire on this instance, and this token does not: set its expiresAt first')
}

function endOld(old: StoredToken, successorId: string, actor: ReadActor, overlap: number, now: number): StoredToken {
  const handover = { replacedById: successorId, rootId: rootIdOf(old), rotationDueAt: undefined }
  if (overlap === 0) {
    return withChanges(old, now, { ...handover, revokedAt: now, revokedBy: actor.id, revokedCode: 'rotated' })
  }
  const end = now + overlap * 1000
  return withChanges(old, now, { ...handover, expiresAt: old.expiresAt === undefined ? end : Math.min(old.expiresAt, end) })
}

async function replay(context: Context, id: string, asked: Asked): Promise<Replayed> {
  const first = await context.store.findOne(id)
  if (first === undefined) throw new ConflictError('conflict', 'this token was already rotated, and its successor no longer exists')
  if (first.requestHash !== fingerprint(asked)) throw keyReused()
  return { record: viewRecord(first, context.settings.clock()), replayed: true }
}
