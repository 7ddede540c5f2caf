import { isErrorLike, StoreUnavailableError } from '../../../src/errors.js'
import type { ListedEvent, StoredEvent } from '../../../src/model/event.js'
import { ownFields } from '../../../src/model/own-fields.js'
import type { StoredToken } from '../../../src/model/record.js'
import { foldAscii } from '../../../src/policy/fold-ascii.js'
import { isLong, withoutLists } from '../../../src/store/feed-filters.js'
import type { ConsumerState, OwnerChange, RevocationStamp, TokenFilter } from '../../../src/store/port.js'
import { indexesOf, indexesOfEvent } from './keys.js'

/** A row of fields, as the scripts return it. Depending on the client, a number arrives as a number or as text. */
export type Row = readonly unknown[]

/** Encodes a token as script arguments: the record as opaque JSON, and the few fields that scripts read. Absent fields are empty. */
export function encodeToken(token: StoredToken): readonly (string | number)[] {
  return [
    token.id,
    JSON.stringify(token),
    token.version,
    token.createdAt,
    `\n${indexesOf(token).join('\n')}\n`,
    foldAscii(token.name),
    token.revokedAt ?? '',
    token.deactivatedAt ?? '',
    token.notBefore ?? '',
    token.expiresAt ?? '',
    token.rotationDueAt ?? '',
    token.replacedById ?? '',
  ]
}

/** Decodes a token from its record, which may be followed by separate lines with the version and the stamp of a bulk revocation. */
export function decodeToken(stored: unknown): StoredToken {
  const [record, version, stamp] = String(stored).split('\n')
  const token = parse<StoredToken>(record)
  if (stamp === undefined) return token
  const { revokedAt, ...by } = parse<RevocationStamp>(stamp)
  return { ...token, ...by, revokedAt, updatedAt: revokedAt, version: Number(version) }
}

/** Decodes a token that this store has under an ID. If its record is damaged, only the ID is known. */
export function decodeTokenOf(id: string, stored: unknown): StoredToken {
  try {
    const token = decodeToken(stored)
    if (token.id === id) return token
  } catch {
    // Treated like the record of another token.
  }
  const damaged = { id, damaged: ['record'] }
  return damaged as object as StoredToken
}

/** Encodes an event as script arguments: ID, body, index keys. */
export function encodeEvent(event: StoredEvent): readonly [id: string, body: string, indexes: string] {
  return [event.id, JSON.stringify(event), `\n${indexesOfEvent(event).join('\n')}\n`]
}

/** Decodes an event from its body. */
export function decodeEvent(body: unknown): StoredEvent {
  return parse(body)
}

/** Decodes a listed event. If its body is damaged, only its identity is known. */
export function decodeListed(
  body: unknown,
  { id, prefix }: Pick<StoredEvent, 'id' | 'prefix'>,
): StoredEvent & Pick<ListedEvent, 'damaged'> {
  try {
    const event = parse<StoredEvent>(body)
    if (typeof event === 'object' && event !== null && event.id === id && event.prefix === prefix) return event
  } catch {
    // Treated like the body of another event.
  }
  return { id, prefix, at: 0, action: 'damaged' as StoredEvent['action'], actorId: '', damaged: ['body'] }
}

/** Returns whether this is the body of another prefix's event. `false` if the body is damaged. */
export function isOfAnother(body: unknown, prefix: string): boolean {
  try {
    const of: unknown = Object(parse<StoredEvent>(body)).prefix
    return typeof of === 'string' && of !== prefix
  } catch {
    return false
  }
}

/** Returns the feed entry of a bulk revocation. If `inParts`, the script adds the tenants, in as many entries as necessary. */
export function encodeFilter(filter: TokenFilter): { readonly entry: string; readonly inParts: boolean } {
  const isTooLong = isLong(filter)
  return { entry: JSON.stringify(isTooLong ? withoutLists(filter) : filter), inParts: isTooLong && filter.tenantIds !== undefined }
}

/** Encodes a feed entry about an owner. */
export function encodeOwner({ ownerId, tenantId }: OwnerChange): string {
  return JSON.stringify({ ownerId, tenantId })
}

/** Encodes the state of a consumer. The order of its fields is fixed, because a script detects a repeated state by comparing text. */
export function encodeConsumer({ prefix, name, version, position, holder }: ConsumerState): string {
  return JSON.stringify({ prefix, name, version, position, holder })
}

/** Decodes an entry of the feed or of the consumers from JSON. */
export function decodeEntry<T extends OwnerChange | TokenFilter | ConsumerState>(entry: string): T {
  return parse(entry)
}

/** Parses JSON that this store wrote. The caller checks whether a record is sound. */
function parse<T>(text: unknown): T {
  try {
    const value: T = JSON.parse(String(text))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? ownFields(value) : value
  } catch (error) {
    throw new StoreUnavailableError('redis: a stored value is damaged', isErrorLike(error) ? new Error(error.name) : undefined)
  }
}

const UNEXPECTED =
  'redis: the client returned an unexpected reply, as clients do within MULTI: pass the store a client that no other code modifies'

/** Returns the error for a reply that no script returns. Whether anything was done is unknown. */
export function unexpected(): StoreUnavailableError {
  return new StoreUnavailableError(UNEXPECTED)
}

/** Reads a script's boolean reply. */
export function flagOf(answer: unknown): boolean {
  const text = String(answer)
  if (text !== '1' && text !== '0') throw unexpected()
  return text === '1'
}

/** Returns the rows of a script's reply. */
export function listOf(answer: unknown): Row {
  if (Array.isArray(answer)) return answer
  throw new StoreUnavailableError('redis: the client returned a reply that is not a list')
}

/** Splits a flat reply into groups of `size`, starting at index `from`. */
export function groupsOf(row: Row, size: number, from = 0): readonly Row[] {
  return Array.from({ length: Math.floor((row.length - from) / size) }, (_, index) =>
    row.slice(from + index * size, from + (index + 1) * size),
  )
}
