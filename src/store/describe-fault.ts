import { isErrorLike, isLatchkeyError, LatchkeyError, StoreUnavailableError } from '../errors.js'
import { EVERY_TEXT, redact, textRemover, withoutTexts } from '../token/redact.js'
import { advised, isAdvised } from './fault-places.js'

const MAX_TEXT = 1000
const MAX_STACK = 4000
/** How many errors are copied together with the error that they caused. */
const MOST_CAUSES = 8

/** Returns the name and code of a foreign error. Its message is dropped, because it may quote the values of a query. */
export function describeFault(error: unknown): string {
  try {
    if (!isErrorLike(error)) return describeThrown(error)
    const code: unknown = Reflect.get(error, 'code')
    return typeof code === 'string' && code.length < 64 ? `${error.name} ${code}` : error.name
  } catch {
    return UNREADABLE
  }
}

/**
 * Copies an error from a host callback, without any token or any of `secrets`. The author of the callback needs the message and the stack.
 *
 * The original is not passed on, because it may contain the request, and the host may modify it.
 */
export function copyFault(error: unknown, secrets: readonly string[] = []): Error | string {
  return secrets === EVERY_TEXT && isErrorLike(error) ? withoutTexts('', secrets) : copyOf(error, cleanerOf(secrets))
}

/**
 * Creates the error to report when a host function fails: it contains neither a token nor any of `secrets`. It is always a new error: see
 * `newFault`.
 */
export function tellableFault(what: string, error: unknown, secrets: readonly string[]): LatchkeyError {
  try {
    if (isLatchkeyError(error) && secrets !== EVERY_TEXT) return tellable(error, cleanerOf(secrets))
  } catch {
    // The copy says that the error is unreadable.
  }
  return new StoreUnavailableError(what, copyFault(error, secrets))
}

/** Returns an error that stands for this fault alone. A host may throw the same object again, and each time is another fault. */
export function newFault(error: unknown): unknown {
  return isLatchkeyError(error) ? tellableFault(error.message, error, []) : error
}

/** Returns whether an error is fit to be told as it is: it consists of text and numbers, without a token or any of `secrets`. */
export function isTellableFault(error: LatchkeyError, secrets: readonly string[]): boolean {
  try {
    return secrets !== EVERY_TEXT && isTellable(error, cleanerOf(secrets))
  } catch {
    return false
  }
}

type Clean = (text: string, most?: number) => string

// Redact before truncating, because a truncated token may be too short to be recognized.
function cleanerOf(secrets: readonly string[]): Clean {
  const without = textRemover(secrets)
  return (text, most) => redact(without(text)).slice(0, most)
}

/** Other fields of errors that help to find a fault. */
const FIELDS = ['errno', 'status', 'field', 'version', 'retryAfterSeconds'] as const
/** Where an error was created, on Bun. */
const PLACE = ['line', 'column', 'sourceURL', 'originalLine', 'originalColumn'] as const
/** The properties of this library's own errors. Any other property may be, or contain, the request. */
const KNOWN: ReadonlySet<PropertyKey> = new Set([...FIELDS, ...PLACE, 'name', 'message', 'stack', 'code', 'partial', 'cause'])

/** Returns whether an error and its causes consist of nothing but text and numbers without a secret. */
function isTellable(error: object, clean: Clean): boolean {
  return (
    isOfPlainClass(Object.getPrototypeOf(error)) &&
    Object.hasOwn(error, 'message') &&
    Reflect.ownKeys(error).every((key) => {
      const value: unknown = Reflect.get(error, key)
      if (typeof key === 'symbol') return value === true
      // Paths in a stack may look like a token. Then only the stack is replaced, because the class of an error determines how it is handled.
      if (key === 'stack' && typeof value === 'string') return clean(value) === value || Reflect.set(error, 'stack', clean(value))
      if (!KNOWN.has(key) || (key !== 'stack' && Object.getOwnPropertyDescriptor(error, key)?.get !== undefined)) return false
      if (typeof value !== 'object' && typeof value !== 'function') return clean(String(value)) === String(value)
      return key === 'cause' && isErrorLike(value) && isTellable(value, clean)
    })
  )
}

/** Returns whether the class and the classes that it extends, up to the built-in one, have no methods of their own, such as `toJSON`. */
function isOfPlainClass(prototype: object | null): boolean {
  if (prototype === null) return false
  const keys = Reflect.ownKeys(prototype).map(String).sort().join()
  // This is the `Error.prototype` of some realm, above which there is only `Object.prototype`.
  if (keys === 'constructor,message,name,toString') return Object.getPrototypeOf(Object.getPrototypeOf(prototype)) === null
  return keys === 'constructor' && isOfPlainClass(Object.getPrototypeOf(prototype))
}

function tellable(error: LatchkeyError, clean: Clean): LatchkeyError {
  if (isTellable(error, clean)) return twinOf(error)
  const { code, cause: given } = error
  const cause = typeof given === 'string' ? clean(given, MAX_TEXT) : given && copyOf(given, clean)
  const message = clean(error.message, MAX_TEXT)
  const copy = code === 'store_unavailable' ? new StoreUnavailableError(message, cause) : new LatchkeyError(code, message, { cause })
  return dressed(isAdvised(error) ? advised(copy) : copy, error, clean)
}

/** Copies an error that is fit to be told, with its causes and its class, which determines how the error is handled. */
function twinOf<E extends Error>(error: E): E {
  const twin: E = Object.setPrototypeOf(new Error(), Object.getPrototypeOf(error))
  for (const key of Reflect.ownKeys(error)) {
    const value: unknown = Reflect.get(error, key)
    const copied = key === 'cause' && isErrorLike(value) ? twinOf(value) : value
    // As an engine does it: neither a message nor a stack is listed among the fields of an error.
    const enumerable = Object.prototype.propertyIsEnumerable.call(error, key)
    Object.defineProperty(twin, key, { value: copied, enumerable, configurable: true, writable: true })
  }
  return twin
}

/** Copies an error with the errors that caused it, such as that of the connection under `fetch failed`: at most `left` of them, so that a cycle ends. */
function copyOf(error: unknown, clean: Clean, left: { causes: number } = { causes: MOST_CAUSES }): Error | string {
  try {
    if (!isErrorLike(error)) return describeThrown(error)
    const copy = new Error(clean(error.message, MAX_TEXT))
    const code: unknown = Reflect.get(error, 'code')
    if (typeof code === 'string' && code.length < 64) Object.assign(copy, { code: clean(code, 64) })
    const cause = causeOf(Reflect.get(error, 'cause'), clean, left)
    if (cause !== undefined) define(copy, 'cause', cause)
    const errors: unknown = Reflect.get(error, 'errors')
    // Of an `AggregateError`.
    if (Array.isArray(errors)) {
      const causes = errors.slice(0, left.causes).map((each) => causeOf(each, clean, left))
      define(
        copy,
        'errors',
        causes.filter((each) => each !== undefined),
      )
    }
    return dressed(copy, error, clean)
  } catch {
    return UNREADABLE
  }
}

function causeOf(cause: unknown, clean: Clean, left: { causes: number }): Error | string | undefined {
  if (left.causes === 0) return undefined
  if (typeof cause === 'string') return clean(cause, MAX_TEXT)
  if (!isErrorLike(cause)) return undefined
  left.causes -= 1
  return copyOf(cause, clean, left)
}

function define(copy: Error, name: string, value: unknown): void {
  Object.defineProperty(copy, name, { value, configurable: true, writable: true })
}

/** Gives the copy the name, the stack and the helpful fields of the error. */
function dressed<E extends Error>(copy: E, error: Error, clean: Clean): E {
  define(copy, 'name', clean(error.name, 64))
  copy.stack = typeof error.stack === 'string' ? clean(error.stack, MAX_STACK) : `${copy.name}: ${copy.message}`
  for (const field of FIELDS) {
    const value: unknown = Reflect.get(error, field)
    if ((typeof value === 'number' || typeof value === 'string') && clean(String(value), 64) === String(value))
      Object.assign(copy, { [field]: value })
  }
  return copy
}

const UNREADABLE = 'threw something unreadable'

function describeThrown(value: unknown): string {
  return `threw ${value === null ? 'null' : typeof value}`
}
