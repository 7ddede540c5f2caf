import { InvalidInputError } from '../errors.js'
import type { Decider } from '../instance.js'
import { isThenable } from '../store/deadline.js'
import { tellableFault } from '../store/describe-fault.js'

/** Receives work that continues after the response, for platforms that stop a process once its response is sent. */
export type WaitUntil = (work: Promise<unknown>) => unknown

/**
 * Validates the option.
 *
 * @throws InvalidInputError `invalid_input`, with field `waitUntil`
 */
export function checkWaitUntil(given: unknown): void {
  if (given !== undefined && typeof given !== 'function') {
    throw new InvalidInputError('waitUntil', 'must be a function that accepts a promise, such as (work) => context.waitUntil(work)')
  }
}

/** `before`: what to await before the work is passed on. `secrets`: returns the secrets that an error from the platform must not quote. */
type Leaving = { readonly before?: () => Promise<unknown>; readonly secrets: () => readonly string[] }

/**
 * Passes the writes that a request left behind (its use, a refusal, a refused attempt) to the platform. The request neither waits for them nor fails with them;
 * errors are reported.
 */
export function handOver({ flush, report }: Decider, waitUntil: WaitUntil | undefined, { before = done, secrets }: Leaving): void {
  if (waitUntil === undefined || flush === undefined) return
  const failed = (error: unknown): void => report('waitUntil', tellableFault('waitUntil failed', error, secrets()))
  try {
    const answer = waitUntil(
      before()
        .then(flush)
        .catch((error: unknown) => report('flush', error)),
    )
    if (isThenable(answer)) Promise.resolve(answer).catch(failed)
  } catch (error) {
    failed(error)
  }
}

const done = (): Promise<void> => Promise.resolve()
