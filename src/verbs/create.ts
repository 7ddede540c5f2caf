import * as z from 'zod'
import { canonicalJson } from '../audit/canonical.js'
import { ConflictError, StoreUnavailableError } from '../errors.js'
import { ownFields } from '../model/own-fields.js'
import type { Minted, Replayed, StoredToken } from '../model/record.js'
import { refuseUndefined } from '../policy/read-input.js'
import { readShape } from '../policy/shape.js'
import { deriveId, fingerprint } from '../token/derive-id.js'
import { generateId, mintToken } from '../token/generate.js'
import type { Context } from '../verify/context.js'
import { viewRecord } from '../verify/view-record.js'
import { canSee, type ReadActor } from './lib/actor.js'
import { auditEvent } from './lib/audit.js'
import { commit, commitIn, seenBy, timeOfChange } from './lib/change.js'
import { checkDraft, type Draft, type Given, readDraft } from './lib/draft.js'
import { checkHandout, checkOwner } from './lib/handout.js'
import { createShape } from './lib/inputs.js'

const MAX_TRIES = 5

/**
 * Creates a token. The result is the only place where the token's text ever appears.
 *
 * @throws InvalidInputError `invalid_input`, with field `transaction` when the transaction is not open or belongs to another database
 * @throws GrantDeniedError `grant_denied`, when the actor would grant more than it has
 * @throws ConflictError `idempotency_key_reused`, `token_limit_reached`
 */
export async function create(context: Context, actor: ReadActor, input: unknown, options?: unknown): Promise<Minted | Replayed> {
  const given: Given = readShape(createShape, input, 'create()')
  const transaction = readTransaction(options)
  const now = timeOfChange(context)
  const draft = readDraft(context, given, actor, now)
  try {
    checkDraft(context, given, draft, now)
    await checkHandout(context, actor, draft)
    await checkOwner(context, actor, draft)
  } catch (error) {
    // The clock, the options and the actor's permissions may have changed since the first request, whose result a retry must still return. Inside a transaction,
    // reading the store would wait for a connection, or for the end of the transaction.
    const first = transaction === undefined ? await createdBefore(context, draft, actor, given) : undefined
    if (first === undefined) throw error
    return replayOf(context, first)
  }
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const minted = mint(context, draft, actor, given)
    // Inside a transaction, the caller holds a connection, and must not wait for another one.
    if (given.idempotencyKey !== undefined && transaction === undefined) {
      // A retry usually finds the token. To insert it again would lock it, and hold up its revocation.
      const stored = await context.store.findOne(minted.record.id)
      if (stored !== undefined) return replay(context, minted.record, actor, stored)
    }
    const eventId = given.idempotencyKey === undefined ? undefined : creationId(minted.record.id)
    const event = auditEvent('token.created', actor, now, { after: minted.record, id: eventId })
    const change = { inserts: [minted.record], events: [event] }
    const result = transaction === undefined ? await commit(context, change) : await commitIn(context, transaction, change)
    if (result.ok) return { token: minted.token, record: viewRecord(minted.record, now) }
    if (given.idempotencyKey !== undefined) return replay(context, minted.record, actor, 'stored' in result ? result.stored : undefined)
  }
  throw new StoreUnavailableError(`the ${context.store.name} store reported every generated ID as a duplicate; no token was created`)
}

const optionsShape: z.ZodType<{ transaction?: object | undefined }> = z.strictObject({
  transaction: z
    .custom<object>((value) => (typeof value === 'object' || typeof value === 'function') && value !== null, {
      error: "must be an open transaction: of Kysely, or the driver's connection on which you began it",
    })
    .optional(),
})

function readTransaction(options: unknown): object | undefined {
  if (options === undefined) return undefined
  const { transaction } = readShape(optionsShape, options, 'options')
  refuseUndefined(options, ['transaction'], 'to create outside of a transaction')
  return transaction
}

function mint(context: Context, draft: Draft, actor: ReadActor, given: Given): { token: string; record: StoredToken } {
  const { prefix, digesters, random } = context.settings
  const key = given.idempotencyKey
  const id = key === undefined ? generateId(random) : idFor(context, draft, actor, key)
  const [digester] = digesters
  const { token, digest } = mintToken(prefix, id, digester, random)
  const record: StoredToken = ownFields({
    ...draft,
    id,
    digest,
    ...(digester.pepperId !== undefined && { pepperId: digester.pepperId }),
    ...(key !== undefined && { requestHash: fingerprint(asked(draft, given)) }),
  })
  return { token, record }
}

function idFor({ settings }: Context, { tenantId }: Draft, actor: ReadActor, key: string): string {
  // Hosts may use the same ID for people in two tenants. Their idempotency keys must not collide.
  const scope = actor.tenants === undefined ? '' : (tenantId ?? '')
  return deriveId(['create', settings.prefix, actor.id, scope, key])
}

// The request without the values that depend on when it arrived. The members of JSON objects have no order (RFC 8259 §1), so a retry may send them in any.
function asked(draft: Draft, given: Given): unknown {
  const { createdAt, updatedAt, rotationDueAt, expiresAt, ...rest } = draft
  const { metadata, resources } = rest
  const objects: object = JSON.parse(canonicalJson({ metadata, resources }))
  return { ...rest, ...objects, expiresIn: given.expiresIn, expiresAt: given.expiresAt == null ? undefined : expiresAt }
}

/**
 * Returns the event ID for a creation with an idempotency key. The token's ID is derived from the key, so the same ID would be generated again after the token
 * is pruned. The event stays, so its unique ID prevents a second creation.
 */
export function creationId(tokenId: string): string {
  return deriveId(['token.created', tokenId])
}

async function createdBefore(context: Context, draft: Draft, actor: ReadActor, given: Given): Promise<StoredToken | undefined> {
  if (given.idempotencyKey === undefined) return undefined
  const first = await seenBy(context, actor, idFor(context, draft, actor, given.idempotencyKey))
  return first?.requestHash === fingerprint(asked(draft, given)) ? first : undefined
}

async function replay(context: Context, attempt: StoredToken, actor: ReadActor, stored: StoredToken | undefined): Promise<Replayed> {
  const first = stored ?? (await context.store.findOne(attempt.id))
  if (first === undefined || !canSee(actor, first)) {
    throw new ConflictError('idempotency_key_reused', 'the token created with this idempotencyKey no longer exists: use a new key', {
      field: 'idempotencyKey',
    })
  }
  if (first.requestHash !== attempt.requestHash) throw keyReused()
  return replayOf(context, first)
}

function replayOf({ records, settings }: Context, first: StoredToken): Replayed {
  // Another node may have changed the token since this node cached it.
  records.shown(first.id)
  return { record: viewRecord(first, settings.clock()), replayed: true }
}

/** Returns the error for an idempotency key that was reused with a different request. */
export function keyReused(): ConflictError {
  return new ConflictError('idempotency_key_reused', 'this idempotencyKey was used for a different request: use a new one', {
    field: 'idempotencyKey',
  })
}
