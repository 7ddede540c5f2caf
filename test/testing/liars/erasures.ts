import { memoryStore } from 'latchkey/stores/memory'
import type { ListedEvent, TokenStore } from '../../../src/index.js'
import { type Liar, single } from './liar.js'

/** A store that puts what is left of events beside them, in a way of its own. */
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
    name: 'an erasure that does not look at what is stored',
    caughtBy: 'an erasure of an event that is gone, or of which more was erased meanwhile, is a conflict and changes nothing',
    create: () =>
      single(
        overlaid((honest, left) => ({
          events: async (query) => (await honest.events(query)).map((row) => ({ ...row, ...left.get(row.id), seq: row.seq })),
        })),
      ),
  },
  {
    name: 'an erasure whose filters still go by what is gone',
    caughtBy: 'what is left of an event stands in its place, and filters go by it',
    create: () =>
      single(
        overlaid((honest, left) => ({
          events: async (query) =>
            (await honest.events(query)).map(({ seq, ...row }) => ({ ...(left.get(row.id) ?? row), seq }) as ListedEvent),
        })),
      ),
  },
  {
    name: 'a feed that is never cut',
    caughtBy: 'a cut feed forgets what it said: who has not read it must take everything as changed, who has goes on',
    create() {
      const honest = memoryStore()
      return single({ ...honest, commit: ({ cutsFeed: _, ...change }) => honest.commit(change) })
    },
  },
  {
    name: 'last uses that keep their address',
    caughtBy: 'addresses of last uses are removed on request, and their instants stay',
    create() {
      const honest = memoryStore()
      return single({ ...honest, trimUsage: ({ lastAddresses: _, ...trim }) => honest.trimUsage(trim) })
    },
  },
]
