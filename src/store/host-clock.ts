import { ignoreRejection } from '../policy/instant.js'
import { tellableFault } from './describe-fault.js'

/**
 * Rounds a clock to whole milliseconds, as stores require; some clocks return fractions. An invalid time becomes `NaN`.
 *
 * The returned clock throws a `StoreUnavailableError` if the host's clock throws.
 */
export function wholeMilliseconds(clock: () => number): () => number {
  return () => {
    let now: unknown
    try {
      now = clock()
    } catch (error) {
      throw tellableFault('the clock option failed', error, [])
    }
    if (typeof now === 'number') return Math.floor(now)
    ignoreRejection(now)
    return Number.NaN
  }
}
