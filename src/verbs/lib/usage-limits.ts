import { InvalidInputError } from '../../errors.js'

const DAY_MS = 86_400_000
const LONGEST_DAYS = 366

/** Maximum number of counters that one call to the store reads. */
export const MAX_COUNTERS = 10_000

/** Refuses a range that is too long, because every hour of it may have to be read. */
export function refuseLongRange(from: number, end: number): void {
  if (end - from <= LONGEST_DAYS * DAY_MS) return
  throw new InvalidInputError('from', `must be at most ${LONGEST_DAYS} days before the end of the range: request a shorter one`)
}

/** The error for a range with more counters than one call of a verb reads. */
export function tooManyCounts(most: number, alternative?: string): InvalidInputError {
  const ways = ['request a shorter one', alternative].filter((way) => way !== undefined).join(', or ')
  return new InvalidInputError('from', `selects more than ${most.toLocaleString('en')} counts: ${ways}`)
}
