import { memoryStore } from 'latchkey/stores/memory'
import type { Change, FeedPage, TokenStore } from '../../../src/store/port.js'
import { pause } from '../../../src/testing/pause.js'
import { type Liar, single } from './liar.js'

type Entry = { readonly position: number; readonly id?: string; readonly ownerId?: string; readonly everything?: true }

const NUMBER = /^\d{1,15}$/

function entriesOf(change: Change): Omit<Entry, 'position'>[] {
  const ids = [...(change.inserts ?? []), ...(change.updates ?? []).map(({ record }) => record)].map(({ id }) => id)
  return [...[...ids, ...(change.removals ?? [])].map((id) => ({ id })), ...(change.ownersChanged ?? []).map((ownerId) => ({ ownerId }))]
}

/** A feed of its own beside an honest store: `next` says where an entry goes, and `write` when it can be seen. */
function withFeed(next: () => number, late: () => Promise<void>): TokenStore {
  const honest = memoryStore()
  const feed: Entry[] = []
  const end = (): number => Math.max(0, ...feed.map(({ position }) => position))

  function page(after: string | undefined, limit: number): FeedPage {
    if (after === undefined) return { cursor: String(end()), ids: [], ownerIds: [], everything: false, more: false }
    if (!NUMBER.test(after) || Number(after) > end()) return { cursor: String(end()), ids: [], ownerIds: [], everything: true, more: false }
    const behind = feed.filter(({ position }) => position > Number(after)).toSorted((a, b) => a.position - b.position)
    const rows = behind.slice(0, limit)
    return {
      cursor: String(rows.at(-1)?.position ?? after),
      ids: rows.flatMap(({ id }) => id ?? []),
      ownerIds: rows.flatMap(({ ownerId }) => ownerId ?? []),
      everything: rows.some(({ everything }) => everything),
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
      const count = await honest.revokeWhere(filter, stamp, event)
      feed.push({ everything: true, position: next() })
      return count
    },
    changes: page,
    reached: (cursor, target) => Number(cursor) >= Number(target),
  }
}

export const feedLiars: readonly Liar[] = [
  {
    name: 'feed by timestamp',
    caughtBy: 'without a cursor it answers its end, from which every later change is told in commit order',
    create: () =>
      single(
        withFeed(
          () => Date.now(),
          async () => {},
        ),
      ),
  },
  {
    name: 'feed that skips a late commit',
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
    name: 'feed that is silent about bulk revocations',
    caughtBy: 'the feed answers everything',
    create() {
      const honest = memoryStore()
      return single({ ...honest, changes: async (after, limit) => ({ ...(await honest.changes(after, limit)), everything: false }) })
    },
  },
  {
    name: 'feed that takes a strange cursor for its end',
    caughtBy: 'a cursor that is not understood, or lies beyond the end, answers everything and goes on from there',
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
    name: 'positions compared as texts',
    caughtBy: 'reached compares positions, not texts',
    create: () => single({ ...memoryStore(), reached: (cursor, target) => cursor >= target }),
  },
]
