import type { ListedEvent, StoredEvent } from '../model/event.js'
import type {
  BulkResult,
  ConsumerState,
  EventQuery,
  FeedPage,
  OwnerChange,
  SealQuery,
  StoredSeal,
  StoredTicket,
  TokenFilter,
} from './port.js'

/** Reads the ticket that was asked for. No ticket is `none`; `undefined` is an answer that makes no sense, such as somebody else's ticket. */
export function readTicket(answer: unknown, prefix: string, digest: string): StoredTicket | 'none' | undefined {
  if (answer === undefined) return 'none'
  const { prefix: itsPrefix, digest: itsDigest, tokenId, expiresAt } = Object(answer) as { readonly [K in keyof StoredTicket]?: unknown }
  if (itsPrefix !== prefix || itsDigest !== digest || typeof tokenId !== 'string' || !isCount(expiresAt)) return undefined
  return { prefix, digest, tokenId, expiresAt }
}

/** Reads the answer to a bulk revocation; `undefined` if it makes no sense. */
export function readBulkResult(answer: unknown, template: StoredEvent): BulkResult | undefined {
  const { count, events, placed: saidPlaced = [] } = Object(answer) as { readonly [K in keyof BulkResult]?: unknown }
  const placed = readPlaced(saidPlaced, template.prefix)
  if (!isCount(count) || !Array.isArray(events) || placed === undefined) return undefined
  const read: StoredEvent[] = []
  for (const event of events) {
    const {
      id,
      tenantId,
      count: touched,
    } = Object(event) as { readonly id?: unknown; readonly tenantId?: unknown; readonly count?: unknown }
    if (typeof id !== 'string' || !isCount(touched) || !isOptionalText(tenantId)) return undefined
    const { tenantId: _, ...said } = template
    read.push({ ...said, id, count: touched, ...(tenantId !== undefined && { tenantId }) })
  }
  return { count, events: read, placed }
}

/** A page of the audit, or `undefined` where it is not in the order asked for: whoever read on behind it would skip events, or turn in a circle. */
export function readEvents(answer: unknown, { order, after, limit }: EventQuery): readonly ListedEvent[] | undefined {
  if (!Array.isArray(answer) || answer.length > limit) return undefined
  const direction = order === 'oldest' ? 1 : -1
  let last = after
  for (const event of answer) {
    const { seq, damaged = [] } = Object(event) as { readonly seq?: unknown; readonly damaged?: unknown }
    if (!isTexts(damaged)) return undefined
    if (!isCount(seq) || (last !== undefined && (seq - last) * direction <= 0)) return undefined
    last = seq
  }
  return answer
}

/** Events that were given their place, or `undefined` where the answer makes no sense. */
export function readPlaced(answer: unknown, prefix: string): readonly StoredEvent[] | undefined {
  return isListOf(answer, (event): event is StoredEvent => Reflect.get(event, 'prefix') === prefix) ? answer : undefined
}

/** The consumers of a prefix, or `undefined` where the answer makes no sense. */
export function readConsumers(answer: unknown, prefix: string): readonly ConsumerState[] | undefined {
  return isListOf(answer, isConsumer) ? answer.filter((consumer) => consumer.prefix === prefix) : undefined
}

function isConsumer(value: object): value is ConsumerState {
  const { prefix, name, version, position, holder } = value as { readonly [K in keyof ConsumerState]?: unknown }
  return typeof prefix === 'string' && typeof name === 'string' && isCount(version) && isCount(position) && isOptionalText(holder)
}

/** Seals in the order asked for, or `undefined` where the answer is anything else. One that somebody removed leaves a gap, which verification names. */
export function readSeals(answer: unknown, { prefix, after = 0, order, limit }: SealQuery): readonly StoredSeal[] | undefined {
  if (!isListOf(answer, isSeal) || answer.length > limit) return undefined
  const follows = (number: number, before: number | undefined): boolean =>
    order === 'newest' ? number < (before ?? Number.POSITIVE_INFINITY) : number > (before ?? after)
  return answer.every((seal, index) => seal.prefix === prefix && follows(seal.number, answer[index - 1]?.number)) ? answer : undefined
}

function isSeal(value: object): value is StoredSeal {
  const { prefix, number, body } = value as { readonly [K in keyof StoredSeal]?: unknown }
  return typeof prefix === 'string' && isCount(number) && typeof body === 'string'
}

/** A page of the feed, or `undefined` where it makes no sense: one that cannot be understood must not pass for one that says nothing. */
export function readFeedPage(answer: unknown, after: string | undefined): FeedPage | undefined {
  const { cursor, ids, owners, bulk, everything, more } = Object(answer) as { readonly [K in keyof FeedPage]?: unknown }
  if (typeof cursor !== 'string' || typeof everything !== 'boolean' || typeof more !== 'boolean') return undefined
  // A page that leads nowhere, with more behind it, would be read for ever.
  if (more && cursor === after) return undefined
  if (!isTexts(ids) || !isListOf(owners, isOwnerChange) || !isListOf(bulk, isFilter)) return undefined
  return { cursor, ids, owners, bulk, everything, more }
}

function isOwnerChange(value: object): value is OwnerChange {
  const { ownerId, tenantId } = value as { readonly [K in keyof OwnerChange]?: unknown }
  return typeof ownerId === 'string' && isOptionalText(tenantId)
}

function isFilter(value: object): value is TokenFilter {
  const { prefix, ids, tenantIds, ownerId, createdBy, rootId } = value as { readonly [K in keyof TokenFilter]?: unknown }
  return (
    typeof prefix === 'string' &&
    (ids === undefined || isTexts(ids)) &&
    (tenantIds === undefined || isTexts(tenantIds)) &&
    isOptionalText(ownerId) &&
    isOptionalText(createdBy) &&
    isOptionalText(rootId)
  )
}

function isListOf<T>(value: unknown, is: (item: object) => item is T & object): value is readonly T[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null && is(item))
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string'
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
