import * as z from 'zod'
import { InvalidInputError } from '../../../src/errors.js'
import { readShape } from '../../../src/policy/shape.js'

/**
 * Reads the options of a store.
 *
 * @throws `invalid_input`
 */
export function readStoreOptions<T>(store: string, schema: z.ZodType<T>, options: unknown): T {
  // The text is a connection string, most likely, and holds a password: it is not repeated.
  if (typeof options === 'string') throw new InvalidInputError('options', `${store} takes an object, not text: ${store}({ url })`)
  return readShape(schema, options, 'options')
}

/** The schema of options of which exactly one of these must be there. */
export function exactlyOneOf<T extends object>(schema: z.ZodType<T>, names: readonly (string & keyof T)[]): z.ZodType<T> {
  return schema.refine((given) => names.filter((name) => given[name] !== undefined).length === 1, {
    error: `must have exactly one of ${names.join(', ')}`,
  })
}

/** An object that the host keeps open and hands over. `error` says which. */
export function handle<T>(isHandle: (value: object) => boolean, error: string): z.ZodType<T> {
  return z.custom<T>((value) => typeof value === 'object' && value !== null && isHandle(value), { error })
}
