import type { ListedEvent, StoredEvent } from '../../../src/model/event.js'
import { type EventPage, type EventQuery, MOST_EXAMINED } from '../../../src/store/port.js'
import { frozenCopy } from './frozen-copy.js'
import { matchesEventQuery } from './match.js'

/** The audit events, ordered by `seq`. */
export type Events = {
  has(id: string): boolean
  append(event: StoredEvent): void
  page(query: EventQuery): EventPage
  /** Returns whether the event with this ID is present, with the same number of erased fields. */
  isAs(event: StoredEvent): boolean
  /** Replaces an event with its remaining fields. */
  replace(event: StoredEvent): void
  remove(prefix: string, ids: readonly string[]): void
  /** Returns whether something else has the ID or the position of this event. */
  isTaken(event: ListedEvent): boolean
  /** Puts an event at its own position, replacing any with the same ID. */
  place(event: ListedEvent): void
}

export function createEvents(): Events {
  let events: ListedEvent[] = []
  const seqs = new Map<string, number>()
  let lastSeq = 0

  /** Returns the index of the first event after a `seq`. */
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

  /** Returns the index of an event, if present. */
  function indexOf({ id, prefix }: Pick<StoredEvent, 'id' | 'prefix'>): number | undefined {
    const index = firstBehind((seqs.get(id) ?? 0) - 1)
    return events[index]?.id === id && events[index]?.prefix === prefix ? index : undefined
  }

  return {
    has: (id) => seqs.has(id),

    append(event) {
      lastSeq += 1
      seqs.set(event.id, lastSeq)
      events.push(frozenCopy({ ...event, seq: lastSeq }))
    },

    page(query) {
      const page: ListedEvent[] = []
      let [examined, last] = [0, 0]
      for (const event of inOrder(query)) {
        if (page.length >= query.limit) break
        if (event.prefix !== query.prefix) continue
        if (examined === MOST_EXAMINED && query.id === undefined) return Object.assign(page, { stoppedAt: last })
        examined += 1
        last = event.seq
        if (matchesEventQuery(event, query)) page.push(event)
      }
      return page
    },

    remove(prefix, gone) {
      const removed = new Set(gone)
      events = events.filter((event) => {
        const stays = event.prefix !== prefix || !removed.has(event.id)
        if (!stays) seqs.delete(event.id)
        return stays
      })
    },

    isTaken({ id, prefix, seq }) {
      const there = events[firstBehind(seq - 1)]
      return (there?.seq === seq && there.id !== id) || (seqs.has(id) && indexOf({ id, prefix }) === undefined)
    },

    place({ damaged: _, ...event }) {
      const known = indexOf(event)
      if (known !== undefined) events.splice(known, 1)
      events.splice(firstBehind(event.seq), 0, frozenCopy(event))
      seqs.set(event.id, event.seq)
      lastSeq = Math.max(lastSeq, event.seq)
    },

    isAs(event) {
      const index = indexOf(event)
      const stored = index === undefined ? undefined : events[index]
      return stored !== undefined && stored.salt === event.salt && JSON.stringify(stored.erased) === JSON.stringify(event.erased)
    },

    replace(event) {
      const index = indexOf(event)
      const seq = index === undefined ? undefined : events[index]?.seq
      if (index !== undefined && seq !== undefined) events[index] = frozenCopy({ ...event, seq })
    },
  }
}
