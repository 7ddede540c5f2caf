import type { ListedEvent } from '../model/event.js'
import type { EventPage, EventQuery } from './port.js'

/** Reads the first events that match. If the store stops before it has found them, reads at most `most` pages. */
export async function firstEvents(
  store: { events(query: EventQuery): Promise<EventPage> },
  query: Omit<EventQuery, 'after'>,
  most: number = Number.POSITIVE_INFINITY,
): Promise<readonly ListedEvent[]> {
  const found: ListedEvent[] = []
  let after: number | undefined
  for (let pages = 0; pages < most; pages += 1) {
    const page = await store.events({ ...query, limit: query.limit - found.length, ...(after !== undefined && { after }) })
    found.push(...page)
    after = Object.hasOwn(page, 'stoppedAt') ? page.stoppedAt : undefined
    if (after === undefined || found.length >= query.limit) break
  }
  return found
}
