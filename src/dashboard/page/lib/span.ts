import type { World } from './types.js'
import { useWorld } from './world.js'

const HOUR_MS = 3_600_000
const DAY_HOURS = 24

/** The longest period for which calls are shown, in hours. */
export const MONTH_HOURS: number = 30 * DAY_HOURS

/** Limits a period in hours to the whole days for which the server keeps usage counts, because older calls are unknown. */
export function spanOf({ scopes }: World, hours: number): number {
  const kept = Math.floor((scopes.usageKeptSeconds ?? Number.POSITIVE_INFINITY) / 3600)
  const span = Math.min(hours, kept)
  return span < DAY_HOURS ? span : span - (span % DAY_HOURS)
}

/** `spanOf` for this server. */
export const useSpan = (hours: number): number => spanOf(useWorld(), hours)

/** Uses are counted by the hour, so the period starts at a full hour. In steps of a day from there, the last step covers the last 24 hours. */
export const sinceHours = (hours: number): number => (Math.floor(Date.now() / HOUR_MS) - hours) * HOUR_MS
