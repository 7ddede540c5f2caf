import { type InputPlace, InvalidInputError } from '../errors.js'
import { quote } from './quote.js'

/** A hundred years. A larger number is probably milliseconds. */
const CENTURY_SECONDS = 3_155_760_000

const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['m', 60],
  ['h', 3600],
  ['d', 86_400],
  ['w', 604_800],
])
const TEXT = /^(-?\d{1,10})([smhdw])$/

/** Bounds of a duration in seconds, inclusive. */
export type DurationLimits = {
  /** @default 1 */
  readonly min?: number
  /** @default a hundred years */
  readonly max?: number
  /** Whether fractions are allowed. @default false */
  readonly fraction?: true
}

/**
 * Reads a duration: a number of seconds, or text with a unit such as `30s`, `15m`, `12h`, `90d` or `2w`. Returns seconds.
 *
 * @throws InvalidInputError (`invalid_input`) if it is outside the limits or looks like milliseconds.
 */
export function readDuration(place: InputPlace, input: unknown, limits: DurationLimits = {}): number {
  const { min = 1, max = CENTURY_SECONDS, fraction } = limits
  const seconds = secondsOf(input)
  if (seconds === undefined) {
    throw new InvalidInputError(place, `must be a number of seconds, or text with a unit such as "15m" or "90d", not ${quote(input)}`)
  }
  if (fraction === undefined && !Number.isInteger(seconds)) throw new InvalidInputError(place, `must be whole seconds, not ${quote(input)}`)
  if (seconds > CENTURY_SECONDS) {
    throw new InvalidInputError(place, `is ${quote(input)}, more than a hundred years; if this is in milliseconds, convert it to seconds`)
  }
  if (seconds < min) throw new InvalidInputError(place, `must be at least ${bound(min, input)}, not ${quote(input)}`)
  if (seconds > max) {
    const slip =
      typeof input === 'number' && input >= 1000 && input <= max * 1000 ? '; if this is in milliseconds, convert it to seconds' : ''
    throw new InvalidInputError(place, `must be at most ${bound(max, input)}, not ${quote(input)}${slip}`)
  }
  return seconds
}

/** Formats a limit, with a unit if the input has one. */
function bound(seconds: number, input: unknown): string {
  const [unit] = [...UNITS].reverse().find(([, factor]) => factor > 1 && seconds >= factor && seconds % factor === 0) ?? []
  if (typeof input === 'string' && unit !== undefined) return `${seconds / (UNITS.get(unit) ?? 1)}${unit}`
  return `${seconds} second${seconds === 1 ? '' : 's'}`
}

function secondsOf(input: unknown): number | undefined {
  if (typeof input === 'number') return Number.isFinite(input) ? input : undefined
  if (typeof input !== 'string') return undefined
  const [, digits, unit = ''] = TEXT.exec(input) ?? []
  const factor = UNITS.get(unit)
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor
}
