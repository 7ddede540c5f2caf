import { memoryStore } from 'latchkey/stores/memory'
import type { Change, FeedPage, OwnerChange, TokenFilter, TokenStore } from '../../../src/store/port.js'
import { pause } from '../../../src/testing/pause.js'
import { type Liar, single } from './liar.js'

type Entry = { readonly position: number; readonly id?: string; readonly owner?: OwnerChange; readonly bulk?: TokenFilter }

const NUMBER = /^\d{1,15}$/

function entriesOf(change: Change): Omit<Entry, 'position'>[] {
  const ids = [...(change.inserts ?? []), ...(change.updates ?? []).map(({ record }) => record)].map(({ id }) => id)
  return [...[...ids, ...(change.removals ?? [])].map((id) => ({ id })), ...(change.ownersChanged ?? []).map((owner) => ({ owner }))]
}

/** A custom feed for a correct store: `next` chooses an entry's position, and `late` when it becomes visible. */
function withFeed(next: () => number, late: () => Promise<void>): TokenStore {
  const honest = memoryStore()
  const feed: Entry[] = []
  const end = (): number => Math.max(0, ...feed.map(({ position }) => position))

  function page(after: string | undefined, limit: number): FeedPage {
    const nothing = { cursor: String(end()), ids: [], owners: [], bulk: [], more: false }
    if (after === undefined) return { ...nothing, everything: false }
    if (!NUMBER.test(after) || Number(after) > end()) return { ...nothing, everything: true }
    const behind = feed.filter(({ position }) => position > Number(after)).toSorted((a, b) => a.position - b.position)
    const rows = behind.slice(0, limit)
    return {
      cursor: String(rows.at(-1)?.position ?? after),
      ids: rows.flatMap(({ id }) => id ?? []),
      owners: rows.flatMap(({ owner }) => owner ?? []),
      bulk: rows.flatMap(({ bulk }) => bulk ?? []),
      everything: false,
      more: behind.length > rows.length,
    }
  }

  return {
    ...honest,
    async commit(change) {
      const entries = entriesOf(change).map((entry) => ({ ...entry, position: next() }))
      await late()
      const result = await honest.commit(change)
      if (result.ok) feed.push(...entries)
      return result
    },
    async revokeWhere(filter, stamp, event) {
      const result = await honest.revokeWhere(filter, stamp, event)
      if (result.count > 0) feed.push({ bulk: filter, position: next() })
      return result
    },
    changes: page,
    reached: (cursor, target) => Number(cursor) >= Number(target),
  }
}

/** A correct store with modified feed pages. */
function withPages(change: (page: FeedPage) => FeedPage): TokenStore {
  const honest = memoryStore()
  return { ...honest, changes: async (after, limit) => change(await honest.changes(after, limit)) }
}

export const feedLiars: readonly Liar[] = [
  {
    name: 'orders the feed by timestamp',
    caughtBy: 'without a cursor, the feed returns its end; from there it lists every later change in commit order',
    create: () =>
      single(
        withFeed(
          () => Date.now(),
          async () => {},
        ),
      ),
  },
  {
    name: 'takes the numbers of the feed from a sequence',
    caughtBy: 'readers that follow 32 concurrent writers miss nothing and agree on the order',
    create() {
      let sequence = 0
      return single(
        withFeed(
          () => {
            sequence += 1
            return sequence
          },
          () => pause(Math.floor(Math.random() * 4)),
        ),
      )
    },
  },
  {
    name: 'omits bulk revocations from the feed',
    caughtBy: 'a bulk revocation by {"ownerId":"o"} announces exactly the tokens that it affected',
    create: () => single(withPages((page) => ({ ...page, bulk: [] }))),
  },
  {
    name: 'names only the first of several tenants in the feed',
    caughtBy: 'a bulk revocation by {"tenantIds":["b","zz","a"],"createdBy":"bob"} announces exactly the tokens that it affected',
    create: () =>
      single(
        withPages((page) => ({
          ...page,
          bulk: page.bulk.map((filter) =>
            filter.tenantIds === undefined ? filter : { ...filter, tenantIds: filter.tenantIds.slice(0, 1) },
          ),
        })),
      ),
  },
  {
    name: 'reports in the feed that everything changed after a bulk revocation',
    caughtBy: 'a bulk revocation by {"tenantIds":["a"]} announces exactly the tokens that it affected',
    create: () => single(withPages((page) => ({ ...page, bulk: [], everything: page.everything || page.bulk.length > 0 }))),
  },
  {
    name: 'adds a feed entry for a bulk revocation that matches no token',
    caughtBy: 'a bulk revocation that matches no token writes no event and no feed entry',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async revokeWhere(filter, stamp, event) {
          const result = await honest.revokeWhere(filter, stamp, event)
          if (result.count === 0) await honest.commit({ ownersChanged: [{ ownerId: 'somebody' }], events: [] })
          return result
        },
      })
    },
  },
  {
    name: 'omits from the feed the tenant in which an owner changed',
    caughtBy: 'without a cursor, the feed returns its end; from there it lists every later change in commit order',
    create: () => single(withPages((page) => ({ ...page, owners: page.owners.map(({ ownerId }) => ({ ownerId })) }))),
  },
  {
    name: 'treats an invalid cursor as the end of the feed',
    caughtBy: 'an invalid cursor or one beyond the end reports that everything changed, and reading continues from the end',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async changes(after, limit) {
          const page = await honest.changes(after, limit)
          return page.everything && page.ids.length === 0 && !after?.startsWith('m') ? { ...page, everything: false } : page
        },
      })
    },
  },
  {
    name: 'compares positions as strings',
    caughtBy: 'reached() compares positions, not strings',
    create: () => single({ ...memoryStore(), reached: (cursor, target) => cursor >= target }),
  },
]
