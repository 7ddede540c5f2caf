import type { ListedEvent, StoredEvent } from '../../../src/model/event.js'
import type { EventQuery } from '../../../src/store/port.js'
import { frozenCopy } from './frozen-copy.js'
import { matchesEventQuery } from './match.js'

/** The audit events, in the order of their `seq`. */
export type Events = {
  has(id: string): boolean
  append(event: StoredEvent): void
  page(query: EventQuery): ListedEvent[]
  remove(prefix: string, ids: readonly string[]): void
}

export function createEvents(): Events {
  let events: ListedEvent[] = []
  const ids = new Set<string>()
  let lastSeq = 0

  /** The index of the first event behind a `seq`. */
  function firstBehind(seq: number): number {
    let low = 0
    let high = events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const event = events[middle]
      if (event !== undefined && event.seq <= seq) low = middle + 1
      else high = middle
    }
    return low
  }

  function* inOrder({ order, after }: EventQuery): Generator<ListedEvent> {
    const step = order === 'oldest' ? 1 : -1
    let index = step === 1 ? firstBehind(after ?? 0) : (after === undefined ? events.length : firstBehind(after - 1)) - 1
    for (let event = events[index]; event !== undefined; event = events[index]) {
      yield event
      index += step
    }
  }

  return {
    has: (id) => ids.has(id),

    append(event) {
      lastSeq += 1
      ids.add(event.id)
      events.push(frozenCopy({ ...event, seq: lastSeq }))
    },

    page(query) {
      const page: ListedEvent[] = []
      for (const event of inOrder(query)) {
        if (page.length >= query.limit) break
        if (matchesEventQuery(event, query)) page.push(event)
      }
      return page
    },

    remove(prefix, gone) {
      const removed = new Set(gone)
      events = events.filter((event) => {
        const stays = event.prefix !== prefix || !removed.has(event.id)
        if (!stays) ids.delete(event.id)
        return stays
      })
    },
  }
}
