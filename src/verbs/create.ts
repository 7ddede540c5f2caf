import { ConflictError, InvalidInputError, StoreUnavailableError } from '../errors.js'
import type { Minted, Replayed, StoredToken } from '../model/record.js'
import { readSeconds } from '../policy/instant.js'
import { readShape } from '../policy/shape.js'
import { deriveId, fingerprint } from '../token/derive-id.js'
import { generateId, mintToken } from '../token/generate.js'
import type { Context } from '../verify/context.js'
import { viewRecord } from '../verify/view-record.js'
import { checkGrant, type ReadActor, readActor } from './lib/actor.js'
import { auditEvent } from './lib/audit.js'
import { commit, findVisible } from './lib/change.js'
import { type CreateShape, checkLifetime, createShape, readScopes, readTerms } from './lib/inputs.js'

const CENTURY_SECONDS = 3_155_760_000
const MAX_TRIES = 5

/** Everything about a new token but its id and secret. */
type Draft = Omit<StoredToken, 'id' | 'digest' | 'pepperId' | 'requestHash'>

/**
 * Makes a token: the answer is the only place where its text ever stands.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws GrantDeniedError `grant_denied`, when the actor would hand out more than it has
 * @throws ConflictError `idempotency_key_reused`
 */
export async function create(context: Context, input: unknown, by: unknown): Promise<Minted | Replayed> {
  const actor = readActor(by)
  const given = readShape(createShape, input, 'create()')
  const now = context.settings.clock()
  const draft = readDraft(context, given, actor, now)
  checkGrant(context.settings.catalogue, actor, {
    tenantId: draft.tenantId,
    ownerId: draft.ownerId,
    scopes: draft.scopes,
    resources: draft.resources,
  })
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const minted = mint(context, draft, actor, given)
    const result = await commit(context, {
      inserts: [minted.record],
      events: [auditEvent('token.created', actor, now, { after: minted.record })],
    })
    if (result.ok) return { token: minted.token, record: viewRecord(minted.record, now) }
    if (given.idempotencyKey !== undefined) return replay(context, minted.record, actor)
  }
  throw new StoreUnavailableError(`the ${context.store.name} store refuses every new id as taken: no token was made`)
}

function readDraft(context: Context, given: CreateShape, actor: ReadActor, now: number): Draft {
  const { settings } = context
  const terms = readTerms(given)
  const expiresAt = readExpiry(given, terms.expiresAt ?? undefined, settings.defaultTtlSeconds, now)
  const notBefore = terms.notBefore ?? undefined
  checkLifetime({ createdAt: now, notBefore, expiresAt }, now, settings)
  const rotateEverySeconds = terms.rotateEverySeconds ?? undefined
  // A person who manages only its own tokens owns them too, so that they follow its permissions.
  const ownerId = given.ownerId ?? (actor.manages === 'own' ? actor.id : undefined)
  return {
    version: 1,
    prefix: settings.prefix,
    name: given.name,
    ...(terms.description != null && { description: terms.description }),
    ...(given.tenantId !== undefined && { tenantId: given.tenantId }),
    ...(ownerId !== undefined && { ownerId }),
    scopes: readScopes(settings.catalogue, given.scopes),
    ...(terms.resources != null && { resources: terms.resources }),
    ...(terms.allowedIps != null && { allowedIps: terms.allowedIps }),
    ...(terms.metadata != null && { metadata: terms.metadata }),
    createdAt: now,
    createdBy: actor.id,
    updatedAt: now,
    ...(notBefore !== undefined && { notBefore }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(rotateEverySeconds !== undefined && { rotateEverySeconds, rotationDueAt: now + rotateEverySeconds * 1000 }),
  }
}

function readExpiry(
  given: CreateShape,
  expiresAt: number | undefined,
  defaultTtlSeconds: number | undefined,
  now: number,
): number | undefined {
  if (given.ttlSeconds === undefined || given.ttlSeconds === null) {
    return expiresAt ?? (defaultTtlSeconds === undefined ? undefined : now + defaultTtlSeconds * 1000)
  }
  if (expiresAt !== undefined) throw new InvalidInputError('ttlSeconds', 'and expiresAt say the same thing twice: give one of them')
  return now + readSeconds('ttlSeconds', given.ttlSeconds, { min: 1, max: CENTURY_SECONDS }) * 1000
}

function mint(context: Context, draft: Draft, actor: ReadActor, given: CreateShape): { token: string; record: StoredToken } {
  const { prefix, digesters, random } = context.settings
  const key = given.idempotencyKey
  // Hosts may call people of two tenants by one id; they never meet here.
  const scope = actor.tenants === undefined ? '' : (draft.tenantId ?? '')
  const id = key === undefined ? generateId(random) : deriveId(['create', prefix, actor.id, scope, key])
  const [digester] = digesters
  const { token, digest } = mintToken(prefix, id, digester, random)
  const record: StoredToken = {
    ...draft,
    id,
    digest,
    ...(digester.pepperId !== undefined && { pepperId: digester.pepperId }),
    ...(key !== undefined && { requestHash: fingerprint(asked(draft, given)) }),
  }
  return { token, record }
}

// What the request asked for, apart from what follows from the moment at which it came.
function asked(draft: Draft, given: CreateShape): unknown {
  const { createdAt, updatedAt, rotationDueAt, expiresAt, ...rest } = draft
  return { ...rest, ttlSeconds: given.ttlSeconds, expiresAt: given.expiresAt == null ? undefined : expiresAt }
}

async function replay(context: Context, attempt: StoredToken, actor: ReadActor): Promise<Replayed> {
  const first = await findVisible(context, attempt.id, actor)
  if (first.requestHash !== attempt.requestHash) {
    throw new ConflictError('idempotency_key_reused', 'this idempotencyKey was used for a different request: take a new one', {
      field: 'idempotencyKey',
    })
  }
  return { record: viewRecord(first, context.settings.clock()), replayed: true }
}
