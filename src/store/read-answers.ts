import type { UsageAddress, UsageCount, UsageQuery, UsageRows } from '../model/usage.js'
import { isInstant } from '../policy/instant.js'
import type { ConsumerState, DistinctQuery, FeedPage, OwnerChange, SealQuery, StoredSeal, StoredTicket, TokenFilter } from './port.js'

/** Returns the requested ticket: `none` if there is none, `undefined` if the result is invalid, such as a different ticket. */
export function readTicket(answer: unknown, prefix: string, digest: string): StoredTicket | 'none' | undefined {
  if (answer === undefined) return 'none'
  const { prefix: itsPrefix, digest: itsDigest, tokenId, expiresAt } = Object(answer) as { readonly [K in keyof StoredTicket]?: unknown }
  if (itsPrefix !== prefix || itsDigest !== digest || typeof tokenId !== 'string' || !isCount(expiresAt)) return undefined
  return { prefix, digest, tokenId, expiresAt }
}

/** Reads distinct values. Returns `undefined` if one is repeated or equals the value to continue after, because paging would then never end. */
export function readDistinct(answer: unknown, { after, limit }: DistinctQuery): readonly string[] | undefined {
  if (!isTexts(answer) || answer.length > limit) return undefined
  return new Set([...answer, ...(after === undefined ? [] : [after])]).size === answer.length + (after === undefined ? 0 : 1)
    ? answer
    : undefined
}

/** Returns the consumers of a prefix, or `undefined` if the result is invalid. */
export function readConsumers(answer: unknown, prefix: string): readonly ConsumerState[] | undefined {
  return isListOf(answer, isConsumer) ? answer.filter((consumer) => consumer.prefix === prefix) : undefined
}

function isConsumer(value: object): value is ConsumerState {
  const { prefix, name, version, position, holder } = value as { readonly [K in keyof ConsumerState]?: unknown }
  return typeof prefix === 'string' && typeof name === 'string' && isCount(version) && isCount(position) && isOptionalText(holder)
}

/** Returns seals in the requested order, or `undefined` if the result is invalid. A removed seal leaves a gap, which `verifyAudit` reports. */
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

/** Returns a page of the feed, or `undefined` if it is invalid, because an unreadable page must not be mistaken for one without changes. */
export function readFeedPage(answer: unknown, after: string | undefined): FeedPage | undefined {
  const { cursor, ids, owners, bulk, everything, more } = Object(answer) as { readonly [K in keyof FeedPage]?: unknown }
  if (typeof cursor !== 'string' || typeof everything !== 'boolean' || typeof more !== 'boolean') return undefined
  // If there is more but the cursor did not move, the same page would be read forever.
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

export function isListOf<T>(value: unknown, is: (item: object) => item is T & object): value is readonly T[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null && is(item))
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

export function isText(value: unknown): value is string {
  return typeof value === 'string'
}

export function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string'
}

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

/** Reads counters and addresses. Refuses results over the limit, because a store that ignores the limit would make the response unbounded. */
export function readUsage(answer: unknown, { limit = Number.POSITIVE_INFINITY, stepMs }: UsageQuery): UsageRows | undefined {
  const { counts, addresses, summed } = Object(answer) as { readonly [K in keyof UsageRows]?: unknown }
  if (!isListOf(counts, isUsageCount) || !isListOf(addresses, isUsageAddress)) return undefined
  if (stepMs === undefined) return counts.length <= limit ? { counts, addresses } : undefined
  return isCount(summed) && counts.length <= summed && summed <= limit ? { counts, addresses, summed } : undefined
}

function isUsageCount(value: object): value is UsageCount {
  const { tokenId, bucketAt, endpoint, scope, outcome, count } = value as { readonly [K in keyof UsageCount]?: unknown }
  return isTexts([tokenId, endpoint, scope, outcome]) && isInstant(bucketAt) && isCount(count)
}

function isUsageAddress(value: object): value is UsageAddress {
  const { tokenId, ip, count, lastAt } = value as { readonly [K in keyof UsageAddress]?: unknown }
  return isTexts([tokenId, ip]) && isCount(count) && isInstant(lastAt)
}
