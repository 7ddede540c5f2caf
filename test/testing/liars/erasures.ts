import { memoryStore } from 'latchkey/stores/memory'
import type { ListedEvent, TokenStore } from '../../../src/index.js'
import { type Liar, single } from './liar.js'

/** A store that keeps redacted events separately, in a custom way. */
function overlaid(write: (store: TokenStore, left: Map<string, ListedEvent>) => Partial<TokenStore>): TokenStore {
  const honest = memoryStore()
  const left = new Map<string, ListedEvent>()
  return {
    ...honest,
    async commit({ erasures = [], ...change }) {
      const result = await honest.commit(change)
      if (result.ok) for (const { after } of erasures) left.set(after.id, after as ListedEvent)
      return result
    },
    ...write(honest, left),
  }
}

export const erasureLiars: readonly Liar[] = [
  {
    name: 'accepts an erasure of an event that changed in the meantime',
    caughtBy: 'erasing an event that was removed or erased further in the meantime is a conflict and changes nothing',
    create: () =>
      single(
        overlaid((honest, left) => ({
          events: async (query) => (await honest.events(query)).map((row) => ({ ...row, ...left.get(row.id), seq: row.seq })),
        })),
      ),
  },
  {
    name: 'filters events by fields that were erased',
    caughtBy: 'the remaining fields of an erased event keep its position, and filters use them',
    create: () =>
      single(
        overlaid((honest, left) => ({
          events: async (query) =>
            (await honest.events(query)).map(({ seq, ...row }) => ({ ...(left.get(row.id) ?? row), seq }) as ListedEvent),
        })),
      ),
  },
  {
    name: 'does not trim the feed on request',
    caughtBy: 'after the feed is trimmed, readers that missed entries must assume that everything changed, and other readers continue',
    create() {
      const honest = memoryStore()
      return single({ ...honest, commit: ({ cutsFeed: _, ...change }) => honest.commit(change) })
    },
  },
  {
    name: 'trims the feed to its end instead of the requested position',
    caughtBy: 'after the feed is trimmed, readers that missed entries must assume that everything changed, and other readers continue',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async commit({ cutsFeed, ...change }) {
          const { cursor } = await honest.changes(undefined, 1)
          return await honest.commit({ ...change, ...(cutsFeed !== undefined && { cutsFeed: cursor }) })
        },
      })
    },
  },
  {
    name: 'keeps the addresses of last uses',
    caughtBy: 'addresses of last uses are removed on request, and the times are kept',
    create() {
      const honest = memoryStore()
      return single({ ...honest, trimUsage: ({ lastAddresses: _, ...trim }) => honest.trimUsage(trim) })
    },
  },
]
