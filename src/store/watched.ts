import type { MaybePromise } from '../model/json.js'
import { isThenable } from './deadline.js'

/** Makes a call, and calls `done` once it has ended, with its error if it failed. */
export function watched<T>(call: () => MaybePromise<T>, done: (error?: unknown) => void): MaybePromise<T> {
  const failed = (error: unknown): never => {
    done(error)
    throw error
  }
  try {
    const answer = call()
    if (isThenable(answer))
      return (answer as Promise<T>).then((value) => {
        done()
        return value
      }, failed)
    done()
    return answer
  } catch (error) {
    return failed(error)
  }
}
