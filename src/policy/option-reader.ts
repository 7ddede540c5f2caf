import { type InputIssue, InvalidInputError, isInvalidInput } from '../errors.js'
import { redact } from '../token/redact.js'
import { quote } from './quote.js'
import { fieldsOf, readInput, unknownName } from './read-input.js'

const MAX_KEY = 64

/** The problems found, in the order in which they are reported. */
type Found = {
  readonly unknown: InputIssue[]
  readonly wrong: InputIssue[]
  /** How many values have the wrong kind, as opposed to being out of bounds. */
  misfits: number
}
type Place = readonly PropertyKey[]

function misfit(found: Found, path: Place, message: string): never {
  found.misfits += 1
  found.wrong.push({ path, message })
  return REFUSED
}

const count = ({ unknown, wrong }: Found): number => unknown.length + wrong.length

/** A placeholder for a value that could not be read. It is never used, because the whole input is refused. */
const REFUSED = undefined as never

/**
 * Reads one option synchronously at construction. Does not use zod, so a server that only verifies never loads it.
 *
 * A reader records problems and continues, so one error can list all of them.
 */
export class OptionReader<T> {
  readonly #read: (input: unknown, place: Place, found: Found) => T

  constructor(read: (input: unknown, place: Place, found: Found) => T) {
    this.#read = read
  }

  /** Reads the value at this place. */
  at(input: unknown, place: Place, found: Found): T {
    return this.#read(input, place, found)
  }

  /** Makes the option optional. */
  optional(): OptionReader<T | undefined> {
    return new OptionReader((input, place, found) => (input === undefined ? undefined : this.#read(input, place, found)))
  }

  /** Makes the option optional, with a default value. */
  default(value: T): OptionReader<T> {
    return new OptionReader((input, place, found) => (input === undefined ? value : this.#read(input, place, found)))
  }

  /** Adds a test that the value must pass. */
  and(test: (value: T) => boolean, error: string): OptionReader<T> {
    return this.refusedFor((value) => (test(value) ? undefined : error))
  }

  /** Adds a test that returns the reason to refuse a value. */
  refusedFor(why: (value: T) => string | undefined): OptionReader<T> {
    return this.into((value, place, found) => {
      const message = why(value)
      if (message !== undefined) found.wrong.push({ path: place, message })
      return value
    })
  }

  /** Converts the value after it has been read. */
  into<U>(make: (value: T, place: Place, found: Found) => U): OptionReader<U> {
    return new OptionReader((input, place, found) => {
      const before = count(found)
      const value = this.#read(input, place, found)
      return count(found) === before ? make(value, place, found) : REFUSED
    })
  }
}

/** The readers of an object's fields. */
export type OptionFields = { readonly [name: string]: OptionReader<unknown> }

/** The type that a reader returns. */
export type OptionOf<Reader> = Reader extends OptionReader<infer T> ? T : never

type Fields<F extends OptionFields> = { [Name in keyof F]: OptionOf<F[Name]> }

/** Accepts any value. */
export const anything: OptionReader<unknown> = new OptionReader((input) => input)

/** Accepts a value that passes a test. */
export function passing<T>(test: (value: unknown) => boolean, error: string | ((input: unknown) => string)): OptionReader<T> {
  return new OptionReader((input, place, found) => {
    if (test(input)) return input as T
    return misfit(found, place, missing(input, place, typeof error === 'string' ? error : error(input)))
  })
}

/** Creates a reader for one of these values. */
export function oneOf<const T extends string | false>(values: readonly T[], error: string | ((input: unknown) => string)): OptionReader<T> {
  return passing<T>((value) => values.includes(value as T), error)
}

/** Creates a reader for text. */
export function string(error = 'must be a string'): OptionReader<string> {
  return passing<string>((value) => typeof value === 'string', error)
}

/** Wraps one of the library's own readers. Its errors name the position within the whole input. */
export function readBy<T>(read: (input: unknown) => T): OptionReader<T> {
  return new OptionReader((input, place, found) => {
    try {
      return read(input)
    } catch (error) {
      if (!isInvalidInput(error)) throw error
      for (const { path, message } of error.issues) {
        misfit(found, [...place, ...path], path.length === 0 ? missing(input, place, message) : message)
      }
      return REFUSED
    }
  })
}

/** Uses the first reader that accepts the value. If a value has the right kind for one reader but is out of bounds, that reader's problems are reported. */
export function either<const Readers extends readonly OptionReader<unknown>[]>(
  readers: Readers,
  error: string,
): OptionReader<OptionOf<Readers[number]>> {
  return new OptionReader((input, place, found) => {
    const near: Found[] = []
    for (const reader of readers) {
      const own: Found = { unknown: [], wrong: [], misfits: 0 }
      const value = reader.at(input, place, own)
      if (count(own) === 0) return value as OptionOf<Readers[number]>
      if (own.misfits === 0) near.push(own)
    }
    const [only, ...others] = near
    if (only === undefined || others.length > 0) return misfit(found, place, missing(input, place, error))
    found.unknown.push(...only.unknown)
    found.wrong.push(...only.wrong)
    return REFUSED
  })
}

/** Creates a reader for a list, which reads each item with the given reader. */
export function listOf<T>(
  item: OptionReader<T>,
  { error = 'must be a list', min = 0, max = Number.POSITIVE_INFINITY, range = error }: ListLimits = {},
): OptionReader<T[]> {
  return new OptionReader((input, place, found) => {
    if (!Array.isArray(input)) return misfit(found, place, missing(input, place, error))
    if (input.length < min || input.length > max) return misfit(found, place, range)
    return Array.from(input, (value, at) => item.at(value, [...place, at], found))
  })
}

/** Creates a reader for a non-empty list. `error` is the message for everything else. */
export function someOf<T>(item: OptionReader<T>, error: string): OptionReader<[T, ...T[]]> {
  return listOf(item, { error, min: 1 }) as OptionReader<unknown> as OptionReader<[T, ...T[]]>
}

/** Limits for the length of a list. `range` is the message for a list of another length, `error` for a value that is not a list. */
export type ListLimits = { readonly error?: string; readonly min?: number; readonly max?: number; readonly range?: string }

/** Creates a reader for an object with these fields. Other fields are refused unless `others` handles them. */
export function objectOf<F extends OptionFields>(
  fields: F,
  { error, others = 'refuse' }: { readonly error?: string; readonly others?: 'refuse' | 'drop' | 'keep' } = {},
): OptionReader<Fields<F>> {
  const names = Object.keys(fields)
  return new OptionReader((input, place, found) => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      // A string passed instead of the options is not quoted, because it may be an option's value, such as a key or a URL with a password.
      const message =
        place.length === 0
          ? `must be an object, not ${typeof input === 'string' ? 'text' : quote(input)}`
          : missing(input, place, error ?? `must be an object${fieldsOf(names)}`)
      return misfit(found, place, message)
    }
    const given: [string, unknown][] = others === 'keep' ? Object.entries(input).filter(([name]) => !Object.hasOwn(fields, name)) : []
    for (const [name, reader] of Object.entries(fields)) {
      const has = supplies(input, name)
      const value = reader.at(has ? Reflect.get(input, name) : undefined, [...place, name], found)
      if (value !== undefined || has) given.push([name, value])
    }
    if (others === 'refuse') refuseOthers(input, names, place, found)
    // Without a prototype, so that an absent option has no inherited value.
    return Object.assign(Object.create(null), Object.fromEntries(given)) as Fields<F>
  })
}

/**
 * Returns these options without a prototype, so that absent options have no inherited values. Options with these names may also come from a class of the host.
 */
export function detached<T extends object>(input: T, names: readonly (keyof T & string)[]): T {
  // Each value is read once, because a getter may answer differently, or throw, the second time.
  const copy: T = Object.assign(Object.create(null), input)
  for (const name of names) if (!Object.hasOwn(copy, name) && supplies(input, name)) copy[name] = input[name]
  return copy
}

/** Returns the option with this name, if the host supplies it. */
export function supplied<T extends object, K extends keyof T & string>(input: T, name: K): T[K] | undefined {
  return supplies(input, name) ? input[name] : undefined
}

/** Returns whether the host supplies this option. Its classes may supply it, but `Object.prototype` does not count: other code may have polluted it. */
export function supplies(input: object, name: string): boolean {
  return name in input && (!(name in Object.prototype) || Object.hasOwn(input, name))
}

function refuseOthers(input: object, names: readonly string[], place: Place, found: Found): void {
  for (const key in input) {
    if (names.includes(key)) continue
    const shown = redact(key).slice(0, MAX_KEY)
    found.unknown.push({ path: [...place, shown], message: unknownName(shown, names) })
  }
}

function missing(input: unknown, place: Place, message: string): string {
  return input === undefined && place.length > 0 ? `is required and ${message}` : message
}

/**
 * Reads options once. All problems become one error, which names the first field and lists the others.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readOption<T>(reader: OptionReader<T>, input: unknown, root: string): T {
  return readInput(input, root, () => {
    const found: Found = { unknown: [], wrong: [], misfits: 0 }
    const value = reader.at(input, [], found)
    // A misspelled name explains a missing field, so it comes first.
    const issues = [...found.unknown, ...found.wrong]
    return issues.length === 0 ? { value } : { issues }
  })
}

/**
 * Reads the part of the options under this name.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readPart<T>(name: string, reader: OptionReader<T>, input: unknown): T {
  try {
    return readOption(reader, input, name)
  } catch (error) {
    if (!isInvalidInput(error)) throw error
    const issues = error.issues.map(({ path, message }) => ({ path: [name, ...path], message }))
    const [first = { path: [name], message: 'could not be read' }] = issues
    throw new InvalidInputError(first.path, first.message, error.cause, issues)
  }
}
