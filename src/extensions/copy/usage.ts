import type { ListedToken } from '../../model/record.js'
import type { LastUse, UsageAddress, UsageCount, UsageRows } from '../../model/usage.js'
import type { RestoredUsage } from '../../store/moving.js'
import type { MovingStore } from '../../store/moving-store.js'

/** A token's position in the order of lists, with its usage. */
export type TokenUsage = {
  readonly createdAt: number
  readonly id: string
  readonly counts: readonly UsageCount[]
  readonly addresses: readonly UsageAddress[]
  readonly lastUse?: LastUse
}

/** A query that returns this many counters may have left some out. */
const MOST_COUNTS = 5_000
/** A query returns at most this many addresses, for all tokens together. */
const MOST_ADDRESSES = 1_000
/** Number of counters written together. */
const COUNTS_AT_ONCE = 2_000
const HOUR_MS = 3_600_000
const END_OF_TIME = 8.64e15

/** Returns the usage of the tokens of a page, in the same order. */
export async function usageOf(store: MovingStore, tokens: readonly ListedToken[]): Promise<readonly TokenUsage[]> {
  const { counts, addresses } = await read(
    store,
    tokens.map(({ id }) => id),
  )
  const countsOf = grouped(counts)
  const addressesOf = grouped(addresses)
  return tokens.map(({ createdAt, id, lastUsedAt, lastUsedIp }) => ({
    createdAt,
    id,
    counts: countsOf.get(id) ?? [],
    addresses: addressesOf.get(id) ?? [],
    ...(lastUsedAt !== undefined && { lastUse: { tokenId: id, at: lastUsedAt, ...(lastUsedIp !== undefined && { ip: lastUsedIp }) } }),
  }))
}

function grouped<T extends { readonly tokenId: string }>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const known = groups.get(row.tokenId)
    if (known === undefined) groups.set(row.tokenId, [row])
    else known.push(row)
  }
  return groups
}

async function read(store: MovingStore, ids: readonly string[]): Promise<UsageRows> {
  if (ids.length === 0) return { counts: [], addresses: [] }
  const rows = await store.usage({ tokenIds: ids, limit: MOST_COUNTS })
  if (rows.counts.length < MOST_COUNTS && (rows.addresses.length < MOST_ADDRESSES || ids.length === 1)) return rows
  if (ids.length === 1) return { ...rows, counts: await countsBetween(store, ids, 0, END_OF_TIME) }
  const half = Math.ceil(ids.length / 2)
  const [first, second] = [await read(store, ids.slice(0, half)), await read(store, ids.slice(half))]
  return { counts: [...first.counts, ...second.counts], addresses: [...first.addresses, ...second.addresses] }
}

/** Reads the counters of a token that has a large number of them, splitting the period in half until each part has few. */
async function countsBetween(store: MovingStore, tokenIds: readonly string[], from: number, to: number): Promise<readonly UsageCount[]> {
  const isOneHour = to - from <= HOUR_MS
  const { counts } = await store.usage({ tokenIds, from, to, ...(!isOneHour && { limit: MOST_COUNTS }) })
  if (isOneHour || counts.length < MOST_COUNTS) return counts
  const middle = Math.ceil((from + to) / 2)
  return [...(await countsBetween(store, tokenIds, from, middle)), ...(await countsBetween(store, tokenIds, middle, to))]
}

/** Splits usage into batches with few enough counters to write at once. */
export function writtenUsage(rows: readonly TokenUsage[]): readonly { readonly usage: readonly RestoredUsage[] }[] {
  const batches: RestoredUsage[][] = []
  let room = 0
  const put = (usage: RestoredUsage): void => {
    if (room < usage.counts.length || batches.length === 0) {
      batches.push([])
      room = COUNTS_AT_ONCE
    }
    batches.at(-1)?.push(usage)
    room -= usage.counts.length
  }
  for (const { id: tokenId, counts, addresses, lastUse } of rows) {
    put({ tokenId, counts: counts.slice(0, COUNTS_AT_ONCE), addresses, ...(lastUse !== undefined && { lastUse }) })
    for (let start = COUNTS_AT_ONCE; start < counts.length; start += COUNTS_AT_ONCE) {
      put({ tokenId, rest: true, counts: counts.slice(start, start + COUNTS_AT_ONCE), addresses: [] })
    }
  }
  return batches.map((usage) => ({ usage }))
}
