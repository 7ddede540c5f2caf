import { type InputPlace, InvalidInputError, StoreUnavailableError } from '../errors.js'
import { quote } from './quote.js'

/** The last millisecond of the year 9999: the latest that ISO 8601 writes with a four-digit year and that every database supports. */
export const MAX_INSTANT: number = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** Returns whether this is an instant between 1970 and the end of the year 9999. */
export function isInstant(at: unknown): at is number {
  return typeof at === 'number' && at >= 0 && at <= MAX_INSTANT
}

/** A clock that returns a promise is a mistake by the host, and its rejection must not end the process. */
export function ignoreRejection(now: unknown): void {
  void Promise.resolve(now).catch(() => undefined)
}

/** Makes a clock return an invalid time instead of throwing, for what must be recorded in any case. */
export function neverThrowing(clock: () => number): () => number {
  return () => {
    try {
      return clock()
    } catch {
      return Number.NaN
    }
  }
}

/**
 * Reads a clock whose time goes into something that others rely on, such as a signature.
 *
 * @throws StoreUnavailableError `store_unavailable`, if its time is invalid; the message begins with `what`
 */
export function readClock(clock: () => unknown, what: string): number {
  const now = clock()
  if (isInstant(now)) return now
  ignoreRejection(now)
  throw new StoreUnavailableError(`${what}: the clock option returned an invalid time`)
}

/** Provides valid instants for data to be stored. A store would refuse an invalid instant on every retry, which would block everything queued behind it. */
export class Dates {
  #last: number | undefined

  /** Returns the clock's time or, if it is invalid, the last valid one; `undefined` if there was none. */
  of(now: number): number | undefined {
    if (isInstant(now)) this.#last = now
    return this.#last
  }
}

/** March 1973 in milliseconds, the year 5138 in seconds. A number between 0 and this number is probably seconds. */
const LEAST_PLAUSIBLE_MS = 1e11

/** RFC 3339 §5.6: date, time and zone are all required. Fractions of a millisecond are truncated. */
const ISO = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:[Zz]|([+-])(\d{2}):?(\d{2}))$/

/**
 * Reads an instant: a `Date`, whole milliseconds since the epoch, or an ISO 8601 string with date, time and zone.
 *
 * Refuses numbers in the wrong unit: 0 is the epoch, but a number above it and below 1e11 looks like seconds.
 *
 * @throws InvalidInputError (`invalid_input`) that names the field and says what is wrong with it.
 */
export function readInstant(place: InputPlace, input: unknown): number {
  if (typeof input === 'number') return checkRange(place, checkNumber(place, input))
  if (typeof input === 'string') return checkMax(place, readIso(place, input))
  return checkRange(place, readDate(place, input))
}

function checkNumber(place: InputPlace, input: number): number {
  if (!Number.isFinite(input)) throw new InvalidInputError(place, `must be an instant, not ${input}`)
  if (!Number.isInteger(input)) throw new InvalidInputError(place, `must be a whole number of milliseconds since the epoch, not ${input}`)
  return input
}

// Calling the built-in method, not the object's own, accepts Dates from other realms and refuses everything else.
function readDate(place: InputPlace, input: unknown): number {
  let at: number
  try {
    at = Date.prototype.getTime.call(input)
  } catch {
    throw new InvalidInputError(place, `must be a Date, milliseconds since the epoch, or an ISO 8601 string, not ${quote(input)}`)
  }
  if (Number.isNaN(at)) throw new InvalidInputError(place, 'is an invalid Date')
  return at
}

function checkRange(place: InputPlace, at: number): number {
  if (at < 0) throw new InvalidInputError(place, `is ${at}, before 1970`)
  if (at > 0 && at < LEAST_PLAUSIBLE_MS) throw new InvalidInputError(place, `is ${at}, which looks like seconds; pass milliseconds`)
  return checkMax(place, at)
}

function checkMax(place: InputPlace, at: number): number {
  if (at > MAX_INSTANT) throw new InvalidInputError(place, `is ${at}, beyond the year 9999; pass milliseconds since the epoch`)
  return at === 0 ? 0 : at
}

function readIso(place: InputPlace, input: string): number {
  const fields = input.length > 64 ? null : ISO.exec(input)
  if (fields === null) {
    throw new InvalidInputError(
      place,
      `must be an ISO 8601 instant with date, time and zone, such as 2030-01-31T12:00:00Z, not ${quote(input)}`,
    )
  }
  const part = (group: number): number => Number(fields[group] ?? 0)
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)]
  const date = new Date(0)
  // Unlike Date.UTC, setUTCFullYear does not map the years 0 to 99 to 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second, Number((fields[7] ?? '').slice(0, 3).padEnd(3, '0')))
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && minute < 60 && second < 60
  if (!exists || part(9) > 23 || part(10) > 59) throw new InvalidInputError(place, `is ${quote(input)}, which is not a calendar date`)
  const offset = (part(9) * 60 + part(10)) * 60_000
  const at = fields[8] === '-' ? date.getTime() + offset : date.getTime() - offset
  if (at < 0) throw new InvalidInputError(place, `is ${quote(input)}, before 1970`)
  return at
}
