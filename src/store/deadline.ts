import { type Code, isErrorLike, isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'

/** Is it a promise, as `await` would see it? */
export function isThenable(value: unknown): value is Promise<unknown> {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && typeof Reflect.get(value, 'then') === 'function'
}

/**
 * Calls out to a store or a hook that may throw, hang, or reject with anything at all.
 *
 * What comes back is what `read` makes of the answer, or a `StoreUnavailableError`. Of latchkey's own errors only those that say the same
 * pass unchanged: a refusal out of the depths of a store or a hook must not be taken for a verdict about the token.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export function callOut<T>(what: string, deadlineMs: number, call: () => MaybePromise<T>): MaybePromise<T>
export function callOut<T>(what: string, deadlineMs: number, call: () => unknown, read: (answer: unknown) => T): MaybePromise<T>
export function callOut(
  what: string,
  deadlineMs: number,
  call: () => unknown,
  read: (answer: unknown) => unknown = (answer) => answer,
): unknown {
  let pending: Promise<unknown>
  try {
    const answer = call()
    if (!isThenable(answer)) return read(answer)
    // A foreign thenable may throw, or answer at once or twice: only a promise of our own is waited for.
    pending = Promise.resolve(answer)
  } catch (error) {
    throw unavailable(what, error)
  }
  return new Promise<unknown>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new DeadlineError(`${what} did not answer within ${deadlineMs / 1000} s`))
    }, deadlineMs)
    pending.then(
      (value) => {
        clearTimeout(timer)
        try {
          resolve(read(value))
        } catch (error) {
          reject(unavailable(what, error))
        }
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(unavailable(what, error))
      },
    )
  })
}

const PASSED: ReadonlySet<Code> = new Set(['store_unavailable', 'closed', 'misconfigured'])

/** The other side hung. */
export class DeadlineError extends StoreUnavailableError {}

function unavailable(what: string, error: unknown): LatchkeyError {
  if (isLatchkeyError(error) && PASSED.has(error.code)) return error
  return new StoreUnavailableError(`${what} failed`, describe(error))
}

// A foreign error may carry query parameters, so only its kind and code go on.
function describe(error: unknown): string {
  try {
    if (!isErrorLike(error)) return `threw ${error === null ? 'null' : typeof error}`
    const code: unknown = Reflect.get(error, 'code')
    return typeof code === 'string' && code.length < 64 ? `${error.name} ${code}` : error.name
  } catch {
    return 'threw something that cannot be read'
  }
}
