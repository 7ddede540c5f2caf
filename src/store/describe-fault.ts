import { isErrorLike } from '../errors.js'
import { redact } from '../token/redact.js'

const MAX_TEXT = 1000
const MAX_STACK = 4000

/** The kind and code of a foreign error. Its message may quote what was in a query, so it stays behind. */
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
 * Copies what a callback of the host's threw, as an error in which no token stands, nor `secret`: its author needs the message and the place.
 *
 * A copy, because the error itself may carry the request, and is the host's to change.
 */
export function copyFault(error: unknown, secret = ''): Error | string {
  const clean = (text: string, most: number): string => redact((secret === '' ? text : text.replaceAll(secret, '…')).slice(0, most))
  try {
    if (!isErrorLike(error)) return describeThrown(error)
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

const UNREADABLE = 'threw something that cannot be read'

function describeThrown(value: unknown): string {
  return `threw ${value === null ? 'null' : typeof value}`
}
