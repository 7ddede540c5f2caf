import { isLatchkeyError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { isThenable } from './deadline.js'

const noted: WeakSet<object> = new WeakSet()

/** Notes that this error means that the store did not answer. */
export function noteUnanswered(error: unknown): void {
  noted.add(Object(error))
}

/**
 * Returns whether a read failed because the store did not answer. Any other failed read was refused in this process, for example because of its caller's
 * share, or got an answer that cannot be used: then nothing may be accepted in its place.
 */
export function isUnanswered(error: unknown): boolean {
  return isLatchkeyError(error) && error.code === 'store_unavailable' && noted.has(error)
}

/**
 * Makes a call to the store whose answer is passed to `read`. If it fails without an answer, its error is noted, unless `isRefused` reports that this
 * process makes no such calls.
 */
export function notingUnanswered<T>(
  isRefused: () => boolean,
  read: (answer: unknown) => T,
  call: (read: (answer: unknown) => T) => MaybePromise<T>,
): MaybePromise<T> {
  let isAnswered = false
  const fail = (error: unknown): never => {
    if (!isAnswered && !isRefused()) noteUnanswered(error)
    throw error
  }
  try {
    const result = call((answer) => {
      isAnswered = true
      return read(answer)
    })
    return isThenable(result) ? (result as Promise<T>).then(undefined, fail) : result
  } catch (error) {
    return fail(error)
  }
}
