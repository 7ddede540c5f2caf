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

/** The start of the first bar. Daily bars begin at midnight in the user's time zone. */
export function startOf(range: Range, now: number = Date.now()): number {
  const { bars, step } = RANGES[range]
  if (step === HOUR) return Math.floor(now / HOUR) * HOUR - (bars - 1) * HOUR
  const midnight = new Date(now)
  midnight.setHours(24, 0, 0, 0)
  return midnight.getTime() - bars * step
}

/** Uses by bar, including empty bars. */
export function barsOf(usage: Usage, range: Range, start: number): readonly Bar[] {
  const { bars, step } = RANGES[range]
  const sums = Array.from({ length: bars }, (_, index) => ({ at: start + index * step, allowed: 0, refused: 0 }))
  for (const { at, outcome, count } of usage.buckets) {
    const bar = sums[Math.floor((Date.parse(at) - start) / step)]
    if (bar === undefined) continue
    if (outcome === 'allowed') bar.allowed += count
    else bar.refused += count
  }
  return sums
}

export type Share = { readonly label: string; readonly allowed: number; readonly refused: number }

/** Uses by endpoint, the most used first. */
export function endpointsOf(usage: Usage): readonly Share[] {
  const sums = new Map<string, { label: string; allowed: number; refused: number }>()
  for (const { endpoint, outcome, count } of usage.buckets) {
    const sum = sums.get(endpoint) ?? { label: endpoint, allowed: 0, refused: 0 }
    sums.set(endpoint, sum)
    sum[outcome === 'allowed' ? 'allowed' : 'refused'] += count
  }
  return [...sums.values()].sort((a, b) => b.allowed + b.refused - (a.allowed + a.refused))
}
