import type { UsageCount } from '../../model/usage.js'
import { givingWay } from '../../verify/build-context.js'
import type { Context } from '../../verify/context.js'
import { MAX_COUNTERS } from './usage-limits.js'

const HOUR_MS = 3_600_000
/** The most counters of one token in one hour that are added up. Callers choose the endpoints that are counted, so there can be any number. */
const MOST_IN_AN_HOUR = 100_000
/** A part with fewer counters than this leaves room for twice as many tokens in the next part. */
const FEW = MAX_COUNTERS / 3

type Range = { readonly from: number; readonly to: number }

type Wanted = Range & { readonly tokenIds: readonly string[]; readonly stepMs: number }

/**
 * Adds up the counters of tokens by step. Reads them in parts, and lets other work run between the parts, because neither the number of tokens nor the length
 * of the range shows how many counters there are.
 *
 * Returns `undefined` if more than `most` counters would have to be read.
 */
export async function readSums(context: Context, wanted: Wanted, most: number): Promise<readonly UsageCount[] | undefined> {
  const { from, to, stepMs } = wanted
  const { store } = givingWay(context)
  const sums = new Map<string, UsageCount>()
  let left = most
  /** The number of counters of parts that turned out to be too large. Reading them is work, too. */
  let repeated = 0
  const isSpent = (): boolean => left < 0 || repeated > most

  /** Returns how many counters a part has: at least `limit` if it has too many to be read at once. */
  async function add(tokenIds: readonly string[], range: Range, limit: number = MAX_COUNTERS): Promise<number> {
    const { counts, summed = 0 } = await store.usage({ tokenIds, ...range, stepMs, limit })
    if (summed >= limit) repeated += summed
    else {
      left -= summed
      for (const count of counts) addTo(sums, count, wanted)
    }
    return summed
  }

  /** Returns whether every counter of this token was added up. */
  async function addToken(tokenId: string): Promise<boolean> {
    const ranges: Range[] = [{ from, to }]
    for (let range = ranges.pop(); range !== undefined && !isSpent(); range = ranges.pop()) {
      const halves = halve(range, stepMs)
      const limit = halves.length === 0 ? MOST_IN_AN_HOUR : MAX_COUNTERS
      if ((await add([tokenId], range, limit)) < limit) continue
      if (halves.length === 0) return false
      ranges.push(...halves)
    }
    return !isSpent()
  }

  let rest = wanted.tokenIds
  let size = rest.length
  while (rest.length > 0) {
    const part = rest.slice(0, size)
    const [only, ...others] = part
    const before = left
    if (others.length > 0 && (await add(part, { from, to })) >= MAX_COUNTERS) {
      size = Math.ceil(part.length / 2)
      continue
    }
    if (others.length === 0 && only !== undefined && !(await addToken(only))) return undefined
    if (isSpent()) return undefined
    if (before - left < FEW) size *= 2
    rest = rest.slice(part.length)
  }
  return [...sums.values()]
}

/** Splits a range in two, the later half first: between two steps, or within a single step at a whole hour. Returns nothing for a range of one hour. */
function halve({ from, to }: Range, stepMs: number): Range[] {
  const steps = Math.ceil((to - from) / stepMs)
  const middle = steps > 1 ? from + Math.floor(steps / 2) * stepMs : middleHour(from, to)
  if (!(from < middle && middle < to)) return []
  return [
    { from: middle, to },
    { from, to: middle },
  ]
}

/** Returns the whole hour in the middle of a range. If the range is at most an hour long, it may be one of its ends. */
export function middleHour(from: number, to: number): number {
  return Math.ceil((from + to) / 2 / HOUR_MS) * HOUR_MS
}

/** Adds a counter to those of its step. `from` is where the steps begin: a part may begin within a step. */
export function addTo(sums: Map<string, UsageCount>, row: UsageCount, { from, stepMs }: Pick<Wanted, 'from' | 'stepMs'>): void {
  const bucketAt = from + Math.floor((row.bucketAt - from) / stepMs) * stepMs
  const key = JSON.stringify([row.tokenId, bucketAt, row.endpoint, row.outcome, row.scope])
  sums.set(key, { ...row, bucketAt, count: row.count + (sums.get(key)?.count ?? 0) })
}
