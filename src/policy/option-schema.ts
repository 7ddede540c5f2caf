import * as z from 'zod'
import { type DurationLimits, readDuration } from './duration.js'
import { readWith } from './shape.js'

/** An option that is on or off. */
export const flag: z.ZodType<boolean> = z.boolean({ error: 'must be true or false' })

/** A function of the host's. `error` says which. */
export function callback<F extends (...args: never[]) => unknown>(error = 'must be a function'): z.ZodType<F> {
  return z.custom<F>((value) => typeof value === 'function', { error })
}

/** A duration, read as seconds. */
export function duration(limits: DurationLimits = {}): z.ZodType<number> {
  return readWith((input) => readDuration([], input, limits), {})
}

/** A whole number between two, both included. */
export function wholeNumber(min: number, max: number): z.ZodType<number> {
  const error = `must be a whole number from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
  return z.custom<number>((value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max, { error })
}

/** Text that is there. `error` says what for. */
export function someText(error = 'must be text that is not empty'): z.ZodType<string> {
  return z.string({ error }).min(1, { error })
}

/** The absolute address of something. */
export function address(error = 'must be an absolute URL'): z.ZodType<string> {
  return z.custom<string>((value) => typeof value === 'string' && URL.canParse(value), { error })
}
