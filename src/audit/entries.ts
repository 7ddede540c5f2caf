import type { ListedEvent } from '../model/event.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { AuditEntry } from './check.js'
import { readBareSeal } from './seal.js'

const EVENTS = 200
const SEALS = 10

/**
 * The whole audit of a prefix: each seal, behind it the events that it covers, and at last those that are not sealed.
 *
 * Seals are read until there are no more behind the events: retention seals what it is about to remove, so that whoever misses an event here
 * finds the seal that tells of it.
 */
export async function* auditEntries(store: GuardedStore, prefix: string): AsyncGenerator<AuditEntry, void> {
  let page: readonly ListedEvent[] = []
  let next = 0
  // Nothing at first: an event that somebody put before the first place is answered as well.
  let position: number | undefined

  async function* eventsUpTo(last: number): AsyncGenerator<AuditEntry, void> {
    for (;;) {
      const event = page[next]
      if (event === undefined) {
        page = await store.events({ prefix, order: 'oldest', limit: EVENTS, ...(position !== undefined && { after: position }) })
        next = 0
        position = page.at(-1)?.seq ?? position
        if (page.length === 0) return
      } else {
        if (event.seq > last) return
        next += 1
        yield { event }
      }
    }
  }

  let sealed = 0
  for (;;) {
    const seals = await store.seals({ prefix, after: sealed, limit: SEALS })
    for (const { number, body } of seals) {
      const seal = parsed(body)
      yield { seal }
      yield* eventsUpTo(readBareSeal(seal)?.lastSeq ?? 0)
      sealed = number
    }
    if (seals.length === 0) break
  }
  yield* eventsUpTo(Number.POSITIVE_INFINITY)
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}
