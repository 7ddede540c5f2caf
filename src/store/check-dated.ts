import { StoreUnavailableError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import { isInstant } from '../policy/instant.js'

/**
 * Lets no change through whose instant nobody told: some stores would keep it, and nothing in it could be found or compared by time.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export function checkDated(events: readonly StoredEvent[]): void {
  if (!events.every(({ at }) => isInstant(at)))
    throw new StoreUnavailableError('nothing can be changed: the option clock does not tell the time')
}
