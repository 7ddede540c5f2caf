import { StoreUnavailableError } from '../errors.js'

/** Far more steps than any legitimate work takes. */
const MOST_STEPS = 10_000

/**
 * Repeats a step until it returns `false`. A store that always has more to do would otherwise keep its caller busy forever.
 *
 * @throws StoreUnavailableError `store_unavailable`, if the step still returns `true` after 10,000 calls; `what` names the work that never ends
 */
export async function untilDone(storeName: string, what: string, step: () => Promise<boolean>): Promise<void> {
  for (let steps = 0; steps < MOST_STEPS; steps += 1) if (!(await step())) return
  throw new StoreUnavailableError(`the ${storeName} store always has more ${what}`)
}
