import type { ListedEvent } from '../model/event.js'
import type { GuardedStore } from '../store/guarded-store.js'
import { readPage } from '../store/read-page.js'
import type { AuditEntry } from './check.js'
import { readBareSeal } from './seal.js'

const EVENTS = 200
const SEALS = 10

/**
 * Yields the whole audit log of a prefix: each seal followed by the events that it covers, and finally the unsealed events.
 *
 * All seals are read after the events. Retention records a removal in a seal before it removes events, so a reader that misses an event here
 * finds the seal that records its removal.
 */
export async function* auditEntries(store: GuardedStore, prefix: string): AsyncGenerator<AuditEntry, void> {
  let page: readonly ListedEvent[] = []
  let next = 0
  // Undefined at first, so that an event inserted before the first position is returned, too.
  let position: number | undefined

  const read = (limit: number, after: number | undefined): Promise<readonly ListedEvent[]> =>
    store.events({ prefix, order: 'oldest', limit, ...(after !== undefined && { after }) })

  async function* eventsUpTo(last: number): AsyncGenerator<AuditEntry, void> {
    for (;;) {
      const event = page[next]
      if (event === undefined) {
        const found = await readPage(EVENTS, position, read, ({ seq }) => seq)
        page = found.rows
        next = 0
        position = found.end
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
