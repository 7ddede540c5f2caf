import { InvalidInputError } from '../../../src/errors.js'
import { type OptionReader, passing, readOption } from '../../../src/policy/option-reader.js'

/** The options that name a database. */
const SOURCES = ['url', 'path', 'pool', 'kysely', 'client', 'database'] as const

/**
 * Reads the options of a store. `handleName` is the one that takes what the host has open.
 *
 * @throws `invalid_input`
 */
export function readStoreOptions<T>(store: string, handleName: string, reader: OptionReader<T>, options: unknown): T {
  // The text is most likely a connection string that contains a password, so it is not repeated.
  if (typeof options === 'string') throw new InvalidInputError('options', `${store} takes an object, not a string: ${store}({ url })`)
  if (isObjectOfAClass(options)) {
    throw new InvalidInputError('options', `must be an object that names the handle: ${store}({ ${handleName}: … })`)
  }
  refuseLostSource(options)
  return readOption(reader, options, 'options')
}

/** Names an address or handle that is `undefined`, such as an environment variable that is not set, if no other source is given. */
function refuseLostSource(options: unknown): void {
  if (typeof options !== 'object' || options === null) return
  const given = SOURCES.filter((name) => Object.hasOwn(options, name))
  const [lost] = given
  if (lost === undefined || given.some((name) => Reflect.get(options, name) !== undefined)) return
  const example = lost === 'url' ? ', such as an environment variable that is not set' : ''
  throw new InvalidInputError(lost, `is undefined: check where it comes from${example}`)
}

/** Returns whether this is the driver's own pool, client or handle. Options are written as an object literal in the call. */
function isObjectOfAClass(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Another realm has its own `Object`.
  return prototype !== null && Object.getPrototypeOf(prototype) !== null
}

/** A reader for options of which exactly one must be given. */
export function exactlyOneOf<T extends object>(reader: OptionReader<T>, names: readonly (string & keyof T)[]): OptionReader<T> {
  return reader.and(
    (given) => names.filter((name) => given[name] !== undefined).length === 1,
    `must have exactly one of ${names.join(', ')}`,
  )
}

/** An object that the host owns and passes in. `error` says which one. */
export function handle<T>(isHandle: (value: object) => boolean, error: string): OptionReader<T> {
  return passing<T>((value) => typeof value === 'object' && value !== null && isHandle(value), error)
}
