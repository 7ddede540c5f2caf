import { type DurationLimits, readDuration } from './duration.js'
import { readInstant } from './instant.js'
import { type OptionReader, passing, readBy, string } from './option-reader.js'
import { whyNotPlain } from './plain-text.js'
import { isSafeAddress, NOT_SAFE } from './safe-address.js'

/** An option that is on or off. */
export const flag: OptionReader<boolean> = passing<boolean>((value) => typeof value === 'boolean', 'must be true or false')

/** Creates a reader for a host callback. `error` says which one is expected. */
export function callback<F extends (...args: never[]) => unknown>(error = 'must be a function'): OptionReader<F> {
  return passing<F>((value) => typeof value === 'function', error)
}

/** Creates a reader for a duration, read as seconds. */
export function duration(limits: DurationLimits = {}): OptionReader<number> {
  return readBy((input) => readDuration([], input, limits))
}

/** Creates a reader for a whole number between two bounds, inclusive. */
export function wholeNumber(min: number, max: number): OptionReader<number> {
  // Formatted lazily, because the first `toLocaleString` loads the engine's locale data, which takes longer than reading all options.
  const error = (): string => `must be a whole number from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
  return passing<number>((value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max, error)
}

/** Creates a reader for a non-empty string. `error` says what it is for. */
export function someText(error = 'must be a non-empty string'): OptionReader<string> {
  return string(error).and((value) => value !== '', error)
}

/** Creates a reader for an absolute URL. */
export function address(error = 'must be an absolute URL'): OptionReader<string> {
  return passing<string>((value) => typeof value === 'string' && URL.canParse(value), error)
}

/** Creates a reader for an absolute URL whose content is safe from tampering in transit. */
export function safeAddress(): OptionReader<string> {
  return passing<string>((value) => typeof value === 'string' && isSafeAddress(value), NOT_SAFE)
}

/** Creates a reader for text that every store preserves byte for byte, and that has no invisible characters. */
export function plainText(min: number, max: number): OptionReader<string> {
  return string().refusedFor((value) => whyNotPlain(value, min, max))
}

/** The minimum number of distinct characters. The chance that 32 random hexadecimal digits have fewer is below one in ten million. */
const LEAST_DISTINCT = 8
/** Why an empty value from the host's configuration is refused. */
export const EMPTY = 'is empty: check where it comes from, such as an environment variable that is not set'

/** A secret from the host, such as a pepper. */
export const secretText: OptionReader<string> = string()
  .and((value) => value !== '', EMPTY)
  .and((value) => value.length >= 32, 'must be at least 32 characters long')
  .and(
    (value) => new Set(value).size >= LEAST_DISTINCT,
    `must have at least ${LEAST_DISTINCT} different characters: use random bytes, such as the output of "openssl rand -base64 32"`,
  )

/** An instant, as milliseconds since the epoch. */
export const instant: OptionReader<number> = readBy((input) => readInstant([], input))
