import { isErrorLike, StoreUnavailableError } from '../../../src/errors.js'
import type { ListedEvent, StoredEvent } from '../../../src/model/event.js'
import type { StoredToken } from '../../../src/model/record.js'
import { foldAscii } from '../../../src/policy/fold-ascii.js'
import type { ConsumerState, OwnerChange, RevocationStamp, TokenFilter } from '../../../src/store/port.js'
import { indexesOf, indexesOfEvent } from './keys.js'

/** Fields in a row, as the scripts answer them. Clients differ in whether a number comes as a number or as text. */
export type Row = readonly unknown[]

/** A token as a script's arguments: the record as opaque JSON, and beside it the few fields that scripts look at. Absent is empty. */
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

/** A token from its record, behind which the version and the stamp of a bulk revocation may stand in lines of their own. */
export function decodeToken(stored: unknown): StoredToken {
  const [record, version, stamp] = String(stored).split('\n')
  const token = parse<StoredToken>(record)
  if (stamp === undefined) return token
  const { revokedAt, ...by } = parse<RevocationStamp>(stamp)
  return { ...token, ...by, revokedAt, updatedAt: revokedAt, version: Number(version) }
}

/** An event as a script's arguments: id, body, index keys. */
export function encodeEvent(event: StoredEvent): readonly [id: string, body: string, indexes: string] {
  return [event.id, JSON.stringify(event), `\n${indexesOfEvent(event).join('\n')}\n`]
}

/** An event from its body. */
export function decodeEvent(body: unknown): StoredEvent {
  return parse(body)
}

/** The same for one that is listed. Of a body that is damaged nothing can be told but which event it is. */
export function decodeListed(
  body: unknown,
  { id, prefix }: Pick<StoredEvent, 'id' | 'prefix'>,
): StoredEvent & Pick<ListedEvent, 'damaged'> {
  try {
    const event = parse<StoredEvent>(body)
    if (typeof event === 'object' && event !== null && event.id === id && event.prefix === prefix) return event
  } catch {
    // As what is another event's.
  }
  return { id, prefix, at: 0, action: 'damaged' as StoredEvent['action'], actorId: '', damaged: ['body'] }
}

/** Does it tell that it is the body of another prefix's event? One that is damaged tells nothing. */
export function isOfAnother(body: unknown, prefix: string): boolean {
  try {
    const of: unknown = Object(parse<StoredEvent>(body)).prefix
    return typeof of === 'string' && of !== prefix
  } catch {
    return false
  }
}

/** Longer filters name thousands of tokens or tenants: the feed then says less, and so more than was touched. */
const LONGEST_FILTER = 16_000

/** The feed entry of a bulk revocation. */
export function encodeFilter(filter: TokenFilter): string {
  const text = JSON.stringify(filter)
  if (text.length <= LONGEST_FILTER) return text
  const { ids: _, tenantIds: __, ...rest } = filter
  return JSON.stringify(rest)
}

/** An entry of the feed that tells of an owner. */
export function encodeOwner({ ownerId, tenantId }: OwnerChange): string {
  return JSON.stringify({ ownerId, tenantId })
}

/** The state of a consumer. Always in the same order: a script tells a state that was sent twice by its text. */
export function encodeConsumer({ prefix, name, version, position, holder }: ConsumerState): string {
  return JSON.stringify({ prefix, name, version, position, holder })
}

/** An entry of the feed, or of the consumers, as JSON. */
export function decodeEntry<T extends OwnerChange | TokenFilter | ConsumerState>(entry: string): T {
  return parse(entry)
}

/** Parses JSON that this store wrote. The caller checks whether a record is sound. */
function parse<T>(text: unknown): T {
  try {
    return JSON.parse(String(text))
  } catch (error) {
    throw new StoreUnavailableError('redis: a stored value is damaged', isErrorLike(error) ? new Error(error.name) : undefined)
  }
}

/** The rows of a script's answer. */
export function listOf(answer: unknown): Row {
  if (Array.isArray(answer)) return answer
  throw new StoreUnavailableError('redis: the client answered something else than a list')
}

/** A flat answer in groups of `size`, from the `from`th on. */
export function groupsOf(row: Row, size: number, from = 0): readonly Row[] {
  return Array.from({ length: Math.floor((row.length - from) / size) }, (_, index) =>
    row.slice(from + index * size, from + (index + 1) * size),
  )
}
