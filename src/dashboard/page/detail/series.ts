import type { Usage } from '../lib/types.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** The ranges of the chart: how far back they go, and the length of a bar. */
export const RANGES = {
  day: { bars: 24, step: HOUR },
  week: { bars: 28, step: 6 * HOUR },
  month: { bars: 30, step: DAY },
  quarter: { bars: 90, step: DAY },
} as const

export type Range = keyof typeof RANGES

export const hoursOf = (range: Range): number => (RANGES[range].bars * RANGES[range].step) / HOUR
export type Bar = { readonly at: number; readonly allowed: number; readonly refused: number }

/** Returns the starts of the bars. Daily bars begin at midnight in the user's time zone, even if the clocks changed in the meantime. */
export function startsOf(range: Range, now: number = Date.now()): readonly number[] {
  const { bars, step } = RANGES[range]
  const hour = Math.floor(now / HOUR) * HOUR
  const today = new Date(now)
  const [year, month, tomorrow] = [today.getFullYear(), today.getMonth(), today.getDate() + 1]
  return Array.from({ length: bars }, (_, index) =>
    step === HOUR ? hour - (bars - 1 - index) * HOUR : new Date(year, month, tomorrow, ((index - bars) * step) / HOUR).getTime(),
  )
}

/**
 * Returns the time from which calls count toward a bar. Calls are counted per full UTC hour: where midnight does not fall on a full hour, the hour around
 * it counts toward the new day, because at least half of it belongs there.
 */
export const countedFrom = (start: number): number => Math.floor(start / HOUR) * HOUR

/** Periods whose bars all have the same length, except possibly the last bar of each. The last period has no end. */
export function periodsOf(range: Range, starts: readonly number[]): readonly { readonly from: number; readonly to?: number }[] {
  const { step } = RANGES[range]
  const counted = starts.map(countedFrom)
  const ends = counted.filter((at, index) => index > 0 && at - (counted[index - 1] ?? at) !== step)
  return [counted[0] ?? 0, ...ends].map((from, index) => ({ from, ...(ends[index] !== undefined && { to: ends[index] }) }))
}

/** Uses by bar, including empty bars. */
export function barsOf({ buckets }: Pick<Usage, 'buckets'>, starts: readonly number[]): readonly Bar[] {
  const sums = starts.map((at) => ({ at, allowed: 0, refused: 0 }))
  for (const { at, outcome, count } of buckets) {
    const bar = sums.findLast((one) => countedFrom(one.at) <= Date.parse(at))
    if (bar === undefined) continue
    if (outcome === 'allowed') bar.allowed += count
    else bar.refused += count
  }
  return sums
}

export type Share = { readonly label: string; readonly allowed: number; readonly refused: number }

/** Uses by endpoint, the most used first. */
export function endpointsOf({ buckets }: Pick<Usage, 'buckets'>): readonly Share[] {
  const sums = new Map<string, { label: string; allowed: number; refused: number }>()
  for (const { endpoint, outcome, count } of buckets) {
    const sum = sums.get(endpoint) ?? { label: endpoint, allowed: 0, refused: 0 }
    sums.set(endpoint, sum)
    sum[outcome === 'allowed' ? 'allowed' : 'refused'] += count
  }
  return [...sums.values()].sort((a, b) => b.allowed + b.refused - (a.allowed + a.refused))
}
