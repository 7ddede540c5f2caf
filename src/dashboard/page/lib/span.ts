import type { World } from './types.js'
import { useWorld } from './world.js'

const HOUR_MS = 3_600_000
const DAY_HOURS = 24

/** As far back as calls are told of, in hours. */
export const MONTH_HOURS: number = 30 * DAY_HOURS

/** So many hours, or as many as the server keeps counts of uses for, in whole days: further back there are none, which says nothing. */
export function spanOf({ scopes }: World, hours: number): number {
  const kept = Math.floor((scopes.usageKeptSeconds ?? Number.POSITIVE_INFINITY) / 3600)
  const span = Math.min(hours, kept)
  return span < DAY_HOURS ? span : span - (span % DAY_HOURS)
}

/** The same on this server. */
export const useSpan = (hours: number): number => spanOf(useWorld(), hours)

/** Uses are counted by the hour: the first one counts whole. In steps of a day from there on, the last step is the last 24 hours. */
export const sinceHours = (hours: number): number => (Math.floor(Date.now() / HOUR_MS) - hours) * HOUR_MS
