import { StoreUnavailableError } from '../errors.js'
import { isThenable } from '../store/deadline.js'

/**
 * Returns the result of a host callback that must be synchronous. A promise is a mistake by the host, and its rejection must not end the process.
 *
 * @throws StoreUnavailableError `store_unavailable`, for a promise
 */
export function atOnce<T>(what: string, answer: T): T {
  if (!isThenable(answer)) return answer
  Promise.resolve(answer).catch(() => undefined)
  throw new StoreUnavailableError(`${what} returned a promise; it must return synchronously`)
}
