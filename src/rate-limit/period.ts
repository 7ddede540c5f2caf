import type { ReadRefill } from './read-options.js'

/** One stretch of a quota's schedule, in milliseconds since the Unix epoch. */
export type Period = { readonly startsAt: number; readonly endsAt: number }

const HOUR = 3_600_000
const DAY = 24 * HOUR
const WEEK = 7 * DAY
/** The Unix epoch was a Thursday: the first Monday came four days later. */
const FIRST_MONDAY = 4 * DAY

/** Returns the period that an instant falls in. In UTC, so that all nodes agree in any time zone. */
export function periodOf(refill: ReadRefill, now: number): Period {
  if (refill === 'month') {
    const date = new Date(now)
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
    return { startsAt: Date.UTC(year, month), endsAt: Date.UTC(year, month + 1) }
  }
  if (refill === 'hour') return evenPeriod(now, HOUR, 0)
  if (refill === 'day') return evenPeriod(now, DAY, 0)
  if (refill === 'week') return evenPeriod(now, WEEK, FIRST_MONDAY)
  return evenPeriod(now, refill.every * 1000, 0)
}

function evenPeriod(now: number, length: number, origin: number): Period {
  const startsAt = Math.floor((now - origin) / length) * length + origin
  return { startsAt, endsAt: startsAt + length }
}
