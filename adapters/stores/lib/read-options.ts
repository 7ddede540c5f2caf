import { InvalidInputError } from '../../../src/errors.js'
import { unawaited } from '../../../src/policy/misgiven.js'
import { EMPTY } from '../../../src/policy/option-kinds.js'
import { type OptionReader, passing, readOption } from '../../../src/policy/option-reader.js'
import { redact } from '../../../src/token/redact.js'

/** The ways to pass a store its database: by address, or as one of the handles that the host has opened. The most common way comes first. */
export type Sources = {
  readonly store: string
  readonly address: 'url' | 'path'
  readonly handles: { readonly [name: string]: (value: object) => boolean }
  /** For an address that is a URL: its form, and how it requests TLS. */
  readonly url?: { readonly form: string; readonly tls: string }
  /** Every option of the store. */
  readonly options: object
}

/**
 * Reads the options of a store.
 *
 * @throws `invalid_input`
 */
export function readStoreOptions<T>(sources: Sources, reader: OptionReader<T>, options: unknown): T {
  const { store, address } = sources
  // The text is most likely a connection string that contains a password, so it is not repeated.
  if (typeof options === 'string') {
    throw new InvalidInputError('options', `${store} takes an object, not a string: ${store}({ ${address} })`)
  }
  if (options === undefined || options === null) {
    const call = address === 'path' ? `the path of a file, or an object: ${store}('tokens.db')` : `an object: ${store}({ ${address} })`
    throw new InvalidInputError('options', `must be ${call}, not ${options}: check where it comes from`)
  }
  const promise = unawaited(options)
  if (promise !== '') throw new InvalidInputError('options', `must be an object${promise}`)
  if (isObjectOfAClass(options)) {
    throw new InvalidInputError('options', `must be an options object: ${store}({ ${nameFor(sources, options)}: … })`)
  }
  if (typeof options === 'object' && options !== null) {
    const given = [sources.address, ...Object.keys(sources.handles)].filter((name) => Object.hasOwn(options, name))
    refuseLostSource(options, given)
    for (const [name, value] of entriesOf(options)) refuseMisnamed(sources, name, value, given)
    refuseMisplaced(sources, options)
    // A replica has the settings of a connection, too.
    const [, read] = entriesOf(options).find(([name]) => name === 'read' && Object.hasOwn(sources.options, name)) ?? []
    if (typeof read === 'object' && read !== null) refuseMisplaced(sources, read, 'read')
  }
  return readOption(reader, options, 'options')
}

/** Returns the options that can be read. A getter that throws is reported when the options are parsed. */
function entriesOf(options: object): readonly (readonly [string, unknown])[] {
  try {
    return Object.entries(options)
  } catch {
    return []
  }
}

const isLost = (value: unknown): boolean => value === undefined || (typeof value === 'string' && value.trim() === '')

/** Refuses an address or handle that is `undefined` or empty, such as an environment variable that is not set, if no other source is given. */
function refuseLostSource(options: object, given: readonly string[]): void {
  const [lost] = given
  if (lost === undefined || given.some((name) => !isLost(Reflect.get(options, name)))) return
  if (Reflect.get(options, lost) !== undefined) throw new InvalidInputError(lost, EMPTY)
  const example = lost === 'url' ? ', such as an environment variable that is not set' : ''
  throw new InvalidInputError(lost, `is undefined: check where it comes from${example}`)
}

/** Refuses a handle or an address that belongs in another option. An unknown option is treated as a misnamed source only if no source is set. */
function refuseMisnamed(sources: Sources, name: string, value: unknown, given: readonly string[]): void {
  const { address, handles, options } = sources
  const isHandle = Object.hasOwn(handles, name)
  const isKnown = Object.hasOwn(options, name)
  if (name === address || isHandle) {
    if (value instanceof URL) throw new InvalidInputError(name, 'must be text, not a URL object: pass its href')
    const other = typeof value === 'string' ? address : handleFor(sources, value)
    const fits = other === name || other === undefined || handles[name]?.(Object(value))
    if (!fits) throw new InvalidInputError(name, `does not accept this value; did you mean "${other}"?`)
  } else if (given.length === 0 && !isKnown) {
    const meant = isObjectOfAClass(value) || isAddress(address, name, value) ? nameFor(sources, value) : undefined
    if (meant !== undefined) throw new InvalidInputError(redact(name), `unknown field; did you mean "${meant}"?`)
  }
}

/** The parts of an address in the settings of the drivers. */
const PARTS = ['host', 'port', 'user', 'username', 'password', 'database', 'db', 'schema', 'socket', 'connection']
const TLS = ['ssl', 'tls', 'sslmode']

/** Refuses a setting of the drivers that belongs in the URL or, if the host opens the connection, in the handle. */
function refuseMisplaced({ url, handles, options }: Sources, given: object, root?: string): void {
  if (url === undefined) return
  const isSet = (name: string): boolean => Object.hasOwn(given, name)
  for (const name of Object.keys(given)) {
    const isTls = TLS.includes(name)
    if (Object.hasOwn(options, name) || !(isTls || (PARTS.includes(name) && [...Object.keys(handles), 'url'].some(isSet)))) continue
    const handle = Object.keys(handles).find(isSet)
    const inUrl = isTls ? url.tls : `it is part of the URL: ${url.form}`
    const place = root === undefined ? name : `${root}.${name}`
    throw new InvalidInputError(place, `unknown field; ${handle === undefined ? inUrl : `set it where you create the ${handle}`}`)
  }
}

function isAddress(address: Sources['address'], name: string, value: unknown): boolean {
  if (address === 'path') return typeof value === 'string' && !/prefix$/i.test(name)
  return (typeof value === 'string' && /^[a-z][a-z0-9+.-]*:\/\//i.test(value)) || (value !== undefined && PARTS.includes(name))
}

/** Returns the option for a value of this kind. */
function nameFor(sources: Sources, value: unknown): string {
  if (value instanceof URL || !isObjectOfAClass(value)) return sources.address
  return handleFor(sources, value) ?? Object.keys(sources.handles)[0] ?? sources.address
}

function handleFor({ handles }: Sources, value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.keys(handles).find((name) => handles[name]?.(value))
}

/** Returns whether this is the driver's own pool, client or handle. Options are plain objects. */
function isObjectOfAClass(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Another realm has its own `Object`.
  return prototype !== null && Object.getPrototypeOf(prototype) !== null
}

/** Creates a reader for options of which exactly one must be set. */
export function exactlyOneOf<T extends object>(reader: OptionReader<T>, names: readonly (string & keyof T)[]): OptionReader<T> {
  return reader.and(
    (given) => names.filter((name) => given[name] !== undefined).length === 1,
    `must have exactly one of ${names.join(', ')}`,
  )
}

/** Creates a reader for an object that the host owns and passes in. `error` says which one. */
export function handle<T>(isHandle: (value: object) => boolean, error: string): OptionReader<T> {
  return passing<T>(
    (value) => typeof value === 'object' && value !== null && isHandle(value),
    (value) => error + (typeof value === 'function' ? ', not a function: call it' : unawaited(value)),
  )
}
