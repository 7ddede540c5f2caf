import { eraseFields } from '../../audit/event-digest.js'
import { ERASED, type ListedEvent, type StoredEvent } from '../../model/event.js'
import { FIELD_ROWS, type FieldKind } from '../../model/fields.js'
import { ownFields } from '../../model/own-fields.js'
import type { StoredToken } from '../../model/record.js'
import { withChanges } from './change.js'

/** Kinds of fields that say nothing about a person. Text, addresses, resources and the host's `metadata` may contain personal data. */
const IMPERSONAL: ReadonlySet<FieldKind> = new Set<FieldKind>(['id', 'word', 'count', 'instant', 'duration', 'grants', 'flag'])
/** Fields that contain the ID of an actor or an owner, in records and in events. */
const IDS = ['ownerId', 'createdBy', 'deactivatedBy', 'revokedBy'] as const

const KEPT_MEMBERS: ReadonlySet<string> = new Set(FIELD_ROWS.filter(([, { kind }]) => IMPERSONAL.has(kind)).map(([name]) => name))
const ID_MEMBERS: ReadonlySet<string> = new Set(IDS)
/** Members of `details` that contain words defined by the library, token IDs, instants and counts. */
const KEPT_DETAILS: ReadonlySet<string> = new Set([
  ...['action', 'attempt', 'attempts', 'field', 'tokens', 'actors', 'consumer', 'eventId'],
  ...['successorId', 'overlapSeconds', 'replacesId', 'replacedById', 'reusedId', 'ids', 'before', 'expiresAt', 'rotationDueAt'],
  ...['thresholdSeconds', 'unusedSince', 'lastUsedAt', 'deactivatesAt', 'sinceSeconds', 'createdAt'],
  // These link a removed token to its trail, explain why a token ended with another, and determine how long an import marker stays.
  ...['bulkId', 'sameSecretAs', 'sameSecretElsewhere', 'importedFrom', 'importKey', 'until', 'rehashed'],
  // Without these field names, every earlier erasure that they cover would look like tampering.
  'covers',
])

const FOREIGN = 'foreign:'

/** Checks whether this token names the owner as its owner, as its creator, or as the actor that stopped it. */
export function namesOwner(token: StoredToken, ownerId: string): boolean {
  return IDS.some((field) => token[field] === ownerId)
}

/** Checks whether a damaged row names the owner, or is too damaged to tell. */
export function mayName(row: Partial<StoredToken>, ownerId: string): boolean {
  return typeof row.createdBy !== 'string' || IDS.some((field) => row[field] === ownerId)
}

/**
 * Returns the next version of a record without the owner's ID. If the owner owned the token, also removes everything that people wrote about it, its allowed
 * addresses, and the fingerprint of the request that created it.
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
    // Without these fields, the token would work from any address and on all data.
    ...(token.allowedIps !== undefined && { allowedIps: [] }),
    ...(token.resources !== undefined && { resources: Object.fromEntries(Object.keys(token.resources).map((name) => [name, []])) }),
    revokedReason: undefined,
    // The keyed fingerprint of an imported row, without which the secret of this revoked token would be unknown, and another format could accept it.
    ...(token.importedHash === undefined && { requestHash: undefined }),
  })
}

/** A person to erase, and the IDs of the tokens that the person owned, as far as they are known. */
export type Person = { readonly ownerId: string; readonly tokenIds: ReadonlySet<string> }

type Deed = Pick<StoredEvent, 'actorId' | 'ownerId' | 'tokenId'> & { readonly action?: StoredEvent['action'] }

/** Returns a predicate for whether an event's field, given by its path, contains data about the person. */
export function personalTo(person: Person): (path: string, value: unknown, event: ListedEvent) => boolean {
  return (path, value, event) => isPersonal(person, path, value, event)
}

/** Returns an event that has not been written yet, without the data about the person. No commitments are needed, because no seal covers the original content. */
export function withoutPerson<E extends Deed & Pick<StoredEvent, 'erased'>>(event: E, person: Person): E {
  const own = ownFields(event)
  const left = eraseFields(own, (path, value) => isPersonal(person, path, value, own))
  if (left === own) return event
  const { erased: _, ...rest } = left
  return rest as E
}

function isPersonal({ ownerId, tokenIds }: Person, path: string, value: unknown, event: Deed): boolean {
  const { actorId } = event
  const isTheirs = event.ownerId === ownerId
  const isTheirDeed = actorId === ownerId || isTheirForeign(event, ownerId)
  const [, tokenId] = /^(?:token|signed|session):(.*)$/.exec(actorId) ?? []
  // The owner's token, or the library in response to it, acted from the owner's address.
  const isTheirAddress = isTheirDeed || (isTheirs && (actorId === 'system' || tokenId !== undefined)) || tokenIds.has(tokenId ?? '')
  if (path === 'actorId') return isTheirDeed
  if (path === 'ownerId' || path === 'createdBy') return value === ownerId
  if (path === 'ip') return isTheirAddress
  if (path === 'reason') return (isTheirs || isTheirDeed) && !isOwnWord(value)
  const dot = path.indexOf('.')
  const [field, name] = [path.slice(0, dot), path.slice(dot + 1)]
  if (ID_MEMBERS.has(name)) return value === ownerId
  if (name === 'revokedReason' && isTheirDeed) return true
  if (field === 'details') return isTheirs ? !KEPT_DETAILS.has(name) : name === 'filter' && isOf(ownerId, value)
  return isTheirs && !KEPT_MEMBERS.has(name)
}

/**
 * Returns whether the person made this refused request with a credential of another system, such as an identity provider's token. Its ID may contain the
 * person's ID or address. A host may also give its own actors such IDs; those make other events, too, or events about tokens.
 */
function isTheirForeign({ actorId, action = 'management.refused', ...event }: Deed, ownerId: string): boolean {
  if (!actorId.startsWith(FOREIGN) || action !== 'management.refused' || event.tokenId !== undefined) return false
  return event.ownerId === undefined ? actorId === FOREIGN + ownerId : event.ownerId === ownerId
}

/** Returns whether the library itself wrote this reason. */
function isOwnWord(reason: unknown): boolean {
  return reason === 'unused' || reason === 'used'
}

/** Returns whether this filter of a bulk revocation names the owner. Other values that equal the ID are not about the owner. */
function isOf(ownerId: string, filter: unknown): boolean {
  return (
    typeof filter === 'object' && filter !== null && Object.entries(filter).some(([name, value]) => name === 'ownerId' && value === ownerId)
  )
}
