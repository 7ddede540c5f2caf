import { StoreUnavailableError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import { isInstant } from '../policy/instant.js'
import { platformRandom } from '../token/random.js'

const SALT_BYTES = 16

/** The events, each with a salt of its own, under which a seal commits to its personal fields. Drawn here, so that no path to the store goes without. */
export function saltEvents(events: readonly StoredEvent[]): readonly StoredEvent[] {
  return events.map((event) => (event.salt === undefined && event.erased === undefined ? { ...event, salt: newSalt() } : event))
}

/** A salt for one event. Never from the injected source: a salt that can be foretold hides nothing. */
export function newSalt(): string {
  return Array.from(platformRandom(SALT_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * Lets no change through whose instant nobody told: some stores would keep it, and nothing in it could be found or compared by time.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export function checkDated(events: readonly StoredEvent[]): void {
  if (!events.every(({ at }) => isInstant(at)))
    throw new StoreUnavailableError('nothing can be changed: the option clock does not tell the time')
}
