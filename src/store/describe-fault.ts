import { isErrorLike, isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../errors.js'
import { EVERY_TEXT, redact, withoutTexts } from '../token/redact.js'

const MAX_TEXT = 1000
const MAX_STACK = 4000

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
 * Copies an error from a host callback, without any token or any of `secrets`. Its author needs the message and the stack.
 *
 * The original is not passed on: it may contain the request, and the host may modify it.
 */
export function copyFault(error: unknown, secrets: readonly string[] = []): Error | string {
  // Redact before truncating: a truncated token may be too short to be recognized.
  const clean = (text: string, most: number): string => redact(withoutTexts(text, secrets)).slice(0, most)
  try {
    if (!isErrorLike(error)) return describeThrown(error)
    if (secrets === EVERY_TEXT) return withoutTexts(error.message, secrets)
    const copy = new Error(clean(error.message, MAX_TEXT))
    const code: unknown = Reflect.get(error, 'code')
    Object.defineProperty(copy, 'name', { value: clean(error.name, 64), configurable: true, writable: true })
    if (typeof code === 'string' && code.length < 64) Object.assign(copy, { code: clean(code, 64) })
    copy.stack = typeof error.stack === 'string' ? clean(error.stack, MAX_STACK) : `${copy.name}: ${copy.message}`
    return copy
  } catch {
    return UNREADABLE
  }
}

/** Returns whether an error or one of its causes contains a token or any of `secrets`. */
export function quotesSecret(error: unknown, secrets: readonly string[]): boolean {
  const dirty = (text: unknown): boolean => typeof text === 'string' && redact(withoutTexts(text, secrets)) !== text
  try {
    if (!isErrorLike(error)) return dirty(error)
    return dirty(error.message) || dirty(error.stack) || (error.cause !== undefined && quotesSecret(error.cause, secrets))
  } catch {
    return true
  }
}

/** Creates the error to report when a host function that received a request fails: it contains neither a token nor any of `secrets`. */
export function tellableFault(what: string, error: unknown, secrets: readonly string[]): LatchkeyError {
  return isLatchkeyError(error) && !quotesSecret(error, secrets) ? error : new StoreUnavailableError(what, copyFault(error, secrets))
}

const UNREADABLE = 'threw something unreadable'

function describeThrown(value: unknown): string {
  return `threw ${value === null ? 'null' : typeof value}`
}
