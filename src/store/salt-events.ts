import type { StoredEvent } from '../model/event.js'
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
