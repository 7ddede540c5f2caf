import { memoryStore } from 'latchkey/stores/memory'
import type { ListedToken, StoredToken } from '../../../src/model/record.js'
import type { TokenStore } from '../../../src/store/port.js'
import { pause } from '../../../src/testing/pause.js'
import { type Liar, single } from './liar.js'

export const readLiars: readonly Liar[] = [
  {
    name: 'compares IDs case-insensitively',
    caughtBy: 'IDs are compared byte for byte',
    create() {
      const honest = memoryStore()
      const byFolded = new Map<string, Set<string>>()
      return single({
        ...honest,
        commit(change) {
          for (const { id } of change.inserts ?? []) {
            const folded = id.toLowerCase()
            byFolded.set(folded, (byFolded.get(folded) ?? new Set()).add(id))
          }
          return honest.commit(change)
        },
        find: (ids) => honest.find([...new Set(ids.flatMap((id) => [...(byFolded.get(id.toLowerCase()) ?? [])]))]),
      })
    },
  },
  {
    name: 'returns another record for an unknown ID',
    caughtBy: 'find() returns the records of up to 500 IDs in one call and omits unknown IDs',
    create() {
      const honest = memoryStore()
      let known: string | undefined
      return single({
        ...honest,
        commit(change) {
          known ??= change.inserts?.[0]?.id
          return honest.commit(change)
        },
        async find(ids) {
          const found = await honest.find(ids)
          return found.length > 0 || ids.length === 0 || known === undefined ? found : honest.find([known])
        },
      })
    },
  },
  {
    name: 'reads from a replica',
    caughtBy: 'every read that starts after a commit sees it, through every handle',
    create() {
      const honest = memoryStore()
      const replica = new Map<string, StoredToken>()
      const commit: TokenStore['commit'] = async (change) => {
        const result = await honest.commit(change)
        const written = [...(change.inserts ?? []), ...(change.updates ?? []).map(({ record }) => record)]
        void pause(1).then(() => {
          if (result.ok) for (const record of written) replica.set(record.id, record)
        })
        return result
      }
      const find = (ids: readonly string[]): StoredToken[] => ids.flatMap((id) => replica.get(id) ?? [])
      return { ...single({ ...honest, commit }), second: { ...honest, commit, find } }
    },
  },
  {
    name: 'returns null for absent fields',
    caughtBy: 'absent fields stay absent, not null',
    create() {
      const honest = memoryStore()
      const nulls = { tenantId: null, ownerId: null, expiresAt: null, revokedAt: null }
      return single({
        ...honest,
        find: async (ids) => (await honest.find(ids)).map((each) => ({ ...nulls, ...each }) as unknown as StoredToken),
      })
    },
  },
  {
    name: 'rounds times to seconds',
    caughtBy: 'times keep every millisecond',
    create() {
      const honest = memoryStore()
      const round = <T extends StoredToken>(each: T): T => ({ ...each, updatedAt: Math.floor(each.updatedAt / 1000) * 1000 })
      return single({
        ...honest,
        find: async (ids) => (await honest.find(ids)).map(round),
        list: async (query) => (await honest.list(query)).map((each): ListedToken => round(each)),
      })
    },
  },
  {
    name: 'loses its data when it closes',
    caughtBy: 'everything that was acknowledged is still stored after closing and reopening',
    create: () => ({ store: memoryStore(), reopen: () => memoryStore() }),
  },
]
