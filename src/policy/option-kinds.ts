import { type DurationLimits, readDuration } from './duration.js'
import { readInstant } from './instant.js'
import { type OptionReader, passing, readBy, string } from './option-reader.js'
import { whyNotPlain } from './plain-text.js'

/** An option that is on or off. */
export const flag: OptionReader<boolean> = passing<boolean>((value) => typeof value === 'boolean', 'must be true or false')

/** A function of the host's. `error` says which. */
export function callback<F extends (...args: never[]) => unknown>(error = 'must be a function'): OptionReader<F> {
  return passing<F>((value) => typeof value === 'function', error)
}

/** A duration, read as seconds. */
export function duration(limits: DurationLimits = {}): OptionReader<number> {
  return readBy((input) => readDuration([], input, limits))
}

/** A whole number between two, both included. */
export function wholeNumber(min: number, max: number): OptionReader<number> {
  const error = `must be a whole number from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
  return passing<number>((value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max, error)
}

/** Text that is there. `error` says what for. */
export function someText(error = 'must be text that is not empty'): OptionReader<string> {
  return string(error).and((value) => value !== '', error)
}

/** The absolute address of something. */
export function address(error = 'must be an absolute URL'): OptionReader<string> {
  return passing<string>((value) => typeof value === 'string' && URL.canParse(value), error)
}

/** Text that every store keeps byte for byte, and that people see as it is. */
export function plainText(min: number, max: number): OptionReader<string> {
  return string().refusedFor((value) => whyNotPlain(value, min, max))
}

/** 32 random hexadecimal digits have fewer than this less than once in ten million times. */
const LEAST_DISTINCT = 8
/** A secret of the host's, such as a pepper. */
export const secretText: OptionReader<string> = string()
  .and((value) => value.length >= 32, 'must be at least 32 characters long')
  .and(
    (value) => new Set(value).size >= LEAST_DISTINCT,
    `must have at least ${LEAST_DISTINCT} different characters: use random bytes, such as the output of "openssl rand -base64 32"`,
  )

/** An instant, as milliseconds since the epoch. */
export const instant: OptionReader<number> = readBy((input) => readInstant([], input))
