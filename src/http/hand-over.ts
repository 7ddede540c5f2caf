import { InvalidInputError } from '../errors.js'
import type { Decider } from '../instance.js'
import { isThenable } from '../store/deadline.js'

/** Takes work that nobody waits for, as platforms do that stop a process after its response. */
export type WaitUntil = (work: Promise<unknown>) => unknown

/**
 * Reads the option.
 *
 * @throws InvalidInputError `invalid_input`, field `waitUntil`
 */
export function checkWaitUntil(given: unknown): void {
  if (given !== undefined && typeof given !== 'function') {
    throw new InvalidInputError('waitUntil', 'must be a function that takes a promise, such as (work) => context.waitUntil(work)')
  }
}

/**
 * Hands what a request left to write (its use, a refusal, a refused attempt) to the platform. The request itself neither waits for it nor fails with it: what
 * goes wrong is told.
 */
export function handOver({ flush, report }: Decider, waitUntil: WaitUntil | undefined, before: Promise<unknown> = DONE): void {
  if (waitUntil === undefined || flush === undefined) return
  const failed = (error: unknown): void => report('waitUntil', error)
  try {
    const answer = waitUntil(before.then(flush).catch((error: unknown) => report('flush', error)))
    if (isThenable(answer)) Promise.resolve(answer).catch(failed)
  } catch (error) {
    failed(error)
  }
}

const DONE: Promise<void> = Promise.resolve()
