import type { ListedEvent, StoredSeal, TokenStore } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import type { AuditEntry } from '../../src/audit/check.js'

/** The tables of an audit log, which a person with database access could rewrite. */
export type Tables = { events: ListedEvent[]; seals: StoredSeal[] }

/** A store whose tables of events and seals return forged rows after `forge` is called. */
export function forgeableStore(): { readonly store: TokenStore; forge(tables: Tables | undefined): void; tables(): Promise<Tables> } {
  const honest = memoryStore()
  let forged: Tables | undefined
  const prefix = 'acme_test'
  return {
    store: {
      ...honest,
      events(query) {
        if (forged === undefined) return honest.events(query)
        const { id, after, order, limit } = query
        const rows = forged.events.toSorted((a, b) => a.seq - b.seq)
        const found = rows.filter(
          (event) =>
            (id === undefined || event.id === id) && (after === undefined || (order === 'oldest' ? event.seq > after : event.seq < after)),
        )
        return (order === 'oldest' ? found : found.reverse()).slice(0, limit)
      },
      seals(query) {
        if (forged === undefined) return honest.seals(query)
        const { after = 0, order, limit } = query
        return order === 'newest' ? forged.seals.slice(-limit).reverse() : forged.seals.slice(after, after + limit)
      },
    },
    forge(tables) {
      forged = tables
    },
    async tables() {
      const events = await honest.events({ prefix, order: 'oldest', limit: 100_000 })
      return structuredClone({ events: [...events], seals: [...(await honest.seals({ prefix, limit: 100_000 }))] })
    },
  }
}

/** Reads a whole export. Each line is converted to JSON and back, as in a file. */
export async function exported(entries: AsyncIterable<AuditEntry>): Promise<AuditEntry[]> {
  const read: AuditEntry[] = []
  for await (const entry of entries) read.push(JSON.parse(JSON.stringify(entry)))
  return read
}
