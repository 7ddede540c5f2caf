import { StoreUnavailableError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import { isInstant } from '../policy/instant.js'
import { platformRandom } from '../token/random.js'

const SALT_BYTES = 16

/** Adds a salt to each event, which seals use to commit to its personal fields. Every write to the store passes through here, so no event lacks one. */
export function saltEvents(events: readonly StoredEvent[]): readonly StoredEvent[] {
  return events.map((event) => (event.salt === undefined && event.erased === undefined ? { ...event, salt: newSalt() } : event))
}

/** Creates the salt of an event. Never uses the injected random source, because a predictable salt hides nothing. */
export function newSalt(): string {
  return Array.from(platformRandom(SALT_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * Refuses a change without a valid instant. Some stores would save it, and it could never be found or compared by time.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export function checkDated(events: readonly StoredEvent[]): void {
  if (!events.every(({ at }) => isInstant(at)))
    throw new StoreUnavailableError('nothing can be changed: the clock option returned an invalid time')
}
