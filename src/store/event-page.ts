import type { ListedEvent } from '../model/event.js'

/**
 * The maximum number of events that one call to `events` examines if some of them might not match, because an actor chooses the filters, and a log has
 * millions of events.
 */
export const MOST_EXAMINED = 5_000

/**
 * A page of events. With `stoppedAt`, the store examined about `MOST_EXAMINED` events and then stopped: the page contains the matching events up to and
 * including this `seq`, may be short or empty, and the caller continues after it.
 */
export type EventPage = readonly ListedEvent[] & { readonly stoppedAt?: number }
