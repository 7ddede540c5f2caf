import { memoryStore } from 'latchkey/stores/memory'
import type { ConsumerState, StoredSeal } from '../../../src/store/port.js'
import { pause } from '../../../src/testing/pause.js'
import { type Liar, single } from './liar.js'

export const auditLiars: readonly Liar[] = [
  {
    name: "sorts events with `order: 'oldest'` by timestamp",
    caughtBy: 'oldest first is the reverse of newest first, for every filter',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async events(query) {
          const rows = await honest.events(query)
          return query.order === 'oldest' ? rows.toSorted((a, b) => a.at - b.at) : rows
        },
      })
    },
  },
  {
    name: 'shows an event after one with a higher seq',
    caughtBy: 'a reader that continues after the last event misses none and sees none twice while 16 writers commit',
    create() {
      const honest = memoryStore()
      // Like rows numbered by a sequence: some are committed later than rows with higher numbers.
      const late = new Set<string>()
      let turn = 0
      return single({
        ...honest,
        async commit(change) {
          turn += 1
          const slow = turn % 5 === 0 ? change.events.map(({ id }) => id) : []
          for (const id of slow) late.add(id)
          const result = await honest.commit(change)
          await pause(slow.length > 0 ? 10 : 0)
          for (const id of slow) late.delete(id)
          return result
        },
        events: async (query) => (await honest.events(query)).filter(({ id }) => !late.has(id)),
      })
    },
  },
  {
    name: 'compares the number of a seal first and writes the seal later',
    caughtBy: 'when many nodes seal concurrently, exactly one writes each number',
    create() {
      const honest = memoryStore()
      const seals: StoredSeal[] = []
      return single({
        ...honest,
        seals: ({ prefix, after = 0, order, limit }) => {
          const own = seals.filter((seal) => seal.prefix === prefix)
          return order === 'newest' ? own.slice(-limit).reverse() : own.slice(after, after + limit)
        },
        async saveSeal(seal) {
          if (seals.length !== seal.number - 1) return false
          await pause(1)
          seals.push(seal)
          return true
        },
      })
    },
  },
  {
    name: 'compares the version of a consumer first and writes its state later',
    caughtBy: 'when many nodes claim a consumer concurrently, exactly one succeeds',
    create() {
      const honest = memoryStore()
      const states = new Map<string, ConsumerState>()
      return single({
        ...honest,
        consumers: (prefix) => [...states.values()].filter((state) => state.prefix === prefix),
        async saveConsumer(state) {
          const key = JSON.stringify([state.prefix, state.name])
          if ((states.get(key)?.version ?? 0) !== state.version - 1) return false
          await pause(1)
          states.set(key, state)
          return true
        },
      })
    },
  },
  {
    name: 'removes a consumer without comparing its version',
    caughtBy: 'a consumer is removed only if its version matches, and its name can be used again',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        removeConsumer: async ({ prefix, name }) => {
          const found = (await honest.consumers(prefix)).find((state) => state.name === name)
          return found !== undefined && (await honest.removeConsumer(found))
        },
      })
    },
  },
  {
    name: 'reuses the seq of a removed event',
    caughtBy: 'removed events are gone, the remaining events keep their positions, and no position is reused',
    create() {
      const honest = memoryStore()
      const place = new Map<string, number>()
      let free = 0
      return single({
        ...honest,
        async commit(change) {
          const result = await honest.commit(change)
          for (const { id } of result.ok ? change.events : []) {
            free += 1
            place.set(id, free)
          }
          return result
        },
        async removeEvents(prefix, ids) {
          await honest.removeEvents(prefix, ids)
          for (const id of ids) place.delete(id)
          free = Math.max(0, ...place.values())
        },
        events: async ({ after, limit, ...query }) => {
          const rows = (await honest.events({ ...query, limit: 100_000 })).map((row) => ({ ...row, seq: place.get(row.id) ?? row.seq }))
          const oldest = query.order === 'oldest'
          const behind = rows.filter(({ seq }) => after === undefined || (oldest ? seq > after : seq < after))
          return behind.toSorted((one, two) => (oldest ? one.seq - two.seq : two.seq - one.seq)).slice(0, limit)
        },
      })
    },
  },
]
