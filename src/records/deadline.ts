import { LatchkeyError, StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../store.js'

/** Is it a promise, as `await` would see it? */
export function isThenable(value: unknown): value is Promise<unknown> {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && typeof Reflect.get(value, 'then') === 'function'
}

/**
 * Calls out to a store or a hook that may throw, hang, or reject with anything at all.
 *
 * What comes back is its answer, or a `StoreUnavailableError`; latchkey's own errors pass unchanged.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export function callOut<T>(what: string, deadlineMs: number, call: () => MaybePromise<T>): MaybePromise<T> {
  let answer: MaybePromise<T>
  try {
    answer = call()
    if (!isThenable(answer)) return answer
  } catch (error) {
    throw unavailable(what, error)
  }
  const pending = answer
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new DeadlineError(`${what} did not answer within ${deadlineMs / 1000} s`))
    }, deadlineMs)
    pending.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(unavailable(what, error))
      },
    )
  })
}

/** The other side hung. */
export class DeadlineError extends StoreUnavailableError {}

function unavailable(what: string, error: unknown): LatchkeyError {
  if (error instanceof LatchkeyError) return error
  return new StoreUnavailableError(`${what} failed`, describe(error))
}

// A foreign error may carry query parameters, so only its kind and first line go on.
function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return `threw ${error === null ? 'null' : typeof error}`
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' && code.length < 64 ? `${error.name} ${code}` : error.name
}
