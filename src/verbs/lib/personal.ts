import { ERASED, type ListedEvent } from '../../model/event.js'
import { FIELD_ROWS, type FieldKind } from '../../model/fields.js'
import type { StoredToken } from '../../model/record.js'
import { withChanges } from './change.js'

/** Kinds of fields that say nothing about a person. Text, addresses, data and whatever the host put into `metadata` may. */
const IMPERSONAL: ReadonlySet<FieldKind> = new Set<FieldKind>(['id', 'word', 'count', 'instant', 'duration', 'grants', 'flag'])
/** Fields that hold the id of an actor or an owner, in records and in what events show. */
const IDS = ['ownerId', 'createdBy', 'deactivatedBy', 'revokedBy'] as const

const KEPT_MEMBERS: ReadonlySet<string> = new Set(FIELD_ROWS.filter(([, { kind }]) => IMPERSONAL.has(kind)).map(([name]) => name))
const ID_MEMBERS: ReadonlySet<string> = new Set(IDS)
/** Members of `details` that hold the library's own words, ids of tokens, instants and counts. */
const KEPT_DETAILS: ReadonlySet<string> = new Set([
  ...['action', 'attempt', 'attempts', 'field', 'tokens', 'actors', 'consumer', 'eventId'],
  ...['successorId', 'overlapSeconds', 'replacesId', 'replacedById', 'reusedId', 'ids', 'before', 'expiresAt', 'rotationDueAt'],
  ...['thresholdSeconds', 'unusedSince', 'lastUsedAt', 'deactivatesAt', 'sinceSeconds', 'createdAt'],
])

/** Does this token name the owner as its owner, its creator, or whoever stopped it? */
export function namesOwner(token: StoredToken, ownerId: string): boolean {
  return IDS.some((field) => token[field] === ownerId)
}

/**
 * The next version of a record without the owner's id; where the token was theirs, also without everything that people wrote about it, without the addresses
 * it was bound to and without the fingerprint of the request that made it.
 */
export function eraseRecord(token: StoredToken, ownerId: string, now: number): StoredToken {
  const ids = {
    ...Object.fromEntries(IDS.filter((field) => token[field] === ownerId).map((field) => [field, ERASED])),
    ...(token.revokedBy === ownerId && { revokedReason: undefined }),
  }
  if (token.ownerId !== ownerId) return withChanges(token, now, ids)
  return withChanges(token, now, {
    ...ids,
    ownerId: undefined,
    name: ERASED,
    description: undefined,
    metadata: undefined,
    // Left out, they would mean from anywhere, and anything.
    ...(token.allowedIps !== undefined && { allowedIps: [] }),
    ...(token.resources !== undefined && { resources: Object.fromEntries(Object.keys(token.resources).map((name) => [name, []])) }),
    revokedReason: undefined,
    requestHash: undefined,
  })
}

/** Makes a test of whether a field of an event, by its path, says something about the owner. */
export function personalTo(ownerId: string): (path: string, value: unknown, event: ListedEvent) => boolean {
  return (path, value, event) => isPersonal(ownerId, path, value, event)
}

function isPersonal(ownerId: string, path: string, value: unknown, event: ListedEvent): boolean {
  const { actorId } = event
  const isTheirs = event.ownerId === ownerId
  const isTheirDeed = actorId === ownerId
  // Their token, or the library in answer to it, acted from an address of theirs.
  const isTheirAddress = isTheirDeed || (isTheirs && (actorId === 'system' || actorId.startsWith('token:')))
  if (path === 'actorId' || path === 'ownerId' || path === 'createdBy') return value === ownerId
  if (path === 'ip') return isTheirAddress
  if (path === 'reason') return (isTheirs || isTheirDeed) && !isOwnWord(value)
  const dot = path.indexOf('.')
  const [field, name] = [path.slice(0, dot), path.slice(dot + 1)]
  if (ID_MEMBERS.has(name)) return value === ownerId
  if (name === 'revokedReason' && isTheirDeed) return true
  if (field === 'details') return isTheirs ? !KEPT_DETAILS.has(name) : mentions(value, ownerId)
  return isTheirs && !KEPT_MEMBERS.has(name)
}

/** Reasons that the library gives by itself. */
function isOwnWord(reason: unknown): boolean {
  return reason === 'unused' || reason === 'used'
}

/** Is the id a value somewhere in this one, as in the filter of a bulk revocation? */
function mentions(value: unknown, ownerId: string): boolean {
  if (typeof value !== 'object' || value === null) return value === ownerId
  return Object.values(value).some((member) => mentions(member, ownerId))
}
