import { describe, expect, it, onTestFinished } from 'vitest'
import { readEvents as readRedisEvents } from '../../adapters/stores/redis/activity.js'
import type { Connection } from '../../adapters/stores/redis/connection.js'
import type { StoredEvent } from '../../src/model/event.js'
import { type EventPage, type EventQuery, MOST_EXAMINED } from '../../src/store/port.js'
import { readEvents } from '../../src/store/read-events.js'
import { instance } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'
import { storedEvent } from '../support/records.js'

const prefix = 'acme_live'
const EVENTS = 2 * MOST_EXAMINED + 500
/** One event in this many has its own actor. */
const RARE = 2_000

const eventAt = (at: number): StoredEvent =>
  storedEvent({
    prefix,
    id: `e${at}`,
    at,
    action: at % 2 === 0 ? 'token.updated' : 'token.refused',
    tenantId: at % 3 === 0 ? 'acme' : 'globex',
    tokenId: 't1',
    createdBy: 'bea',
    actorId: at % RARE === 0 ? 'rare' : 'ada',
  })

const RARELY = Array.from({ length: Math.ceil(EVENTS / RARE) }, (_, index) => `e${index * RARE}`)
const QUERIES: readonly (readonly [string, Partial<EventQuery>, readonly string[]])[] = [
  ['of an actor', { actorId: 'rare' }, RARELY],
  ['of an actor in two tenants', { actorId: 'rare', tenantIds: ['acme', 'globex'] }, RARELY],
  ['of an actor with two actions', { actorId: 'rare', actions: ['token.updated', 'token.refused'] }, RARELY],
  ['of an actor about a token', { actorId: 'rare', tokenId: 't1' }, RARELY],
  ['of an actor about tokens of a creator', { actorId: 'rare', createdBy: 'bea' }, RARELY],
  ['of a tenant in the future', { tenantIds: ['globex'], from: EVENTS }, []],
  ['in the future', { from: EVENTS }, []],
  ['long ago', { to: 1 }, ['e0']],
]

describe.each(await everyStore())('events on $kind', ({ skip, place }) => {
  it.skipIf(skip)(
    'events are examined in bounded steps if filters match few of them, and no event is lost',
    { timeout: 120_000 },
    async () => {
      const open = await place()
      const store = open()
      onTestFinished(() => Promise.resolve(store.close?.()))
      await store.migrate?.()
      for (let at = 0; at < EVENTS; at += 500) {
        await store.commit({ events: Array.from({ length: Math.min(500, EVENTS - at) }, (_, index) => eventAt(at + index)) })
      }
      const all: number[] = []
      for (let after = 0; ; after = all.at(-1) ?? 0) {
        const page = await store.events({ prefix, order: 'oldest', after, limit: 1000 })
        expect((page as EventPage).stoppedAt).toBeUndefined()
        if (page.length === 0) break
        all.push(...page.map(({ seq }) => seq))
      }
      expect(all).toHaveLength(EVENTS)
      for (const [what, filter, ids] of QUERIES) {
        for (const order of ['newest', 'oldest'] as const) {
          const found: string[] = []
          let after: number | undefined
          let stops = 0
          for (;;) {
            const query = { prefix, ...filter, ...(order === 'oldest' && { order }), limit: 100, ...(after !== undefined && { after }) }
            const page: EventPage | undefined = readEvents(await store.events(query), query)
            found.push(...(page?.map(({ id }) => id) ?? []))
            if (page?.stoppedAt === undefined) break
            const start = after ?? (order === 'oldest' ? -1 : Number.POSITIVE_INFINITY)
            const end = page.stoppedAt
            const examined = all.filter((seq) => (order === 'oldest' ? seq > start && seq <= end : seq < start && seq >= end))
            expect(examined.length, `${what}, ${order}`).toBeLessThanOrEqual(1.8 * MOST_EXAMINED)
            stops += 1
            after = end
          }
          expect(order === 'oldest' ? found : found.toReversed(), `${what}, ${order}`).toEqual(ids)
          expect(stops, `${what}, ${order}`).toBeGreaterThan(0)
        }
      }
      // Through the verb, an empty page has a cursor.
      const actor = instance({ store, prefix, deadline: '30s' }).as({ id: 'ada', tenants: ['acme', 'globex'], manages: 'all' })
      for (const order of ['newest', 'oldest'] as const) {
        let page = await actor.events({ actorId: 'nobody', order })
        expect(page.items).toEqual([])
        expect(page.nextCursor).toBeTypeOf('string')
        while (page.nextCursor !== undefined) page = await actor.events({ actorId: 'nobody', order, cursor: page.nextCursor })
      }
    },
  )
})

it.each(['newest', 'oldest'] as const)('stops reading Redis events that never match, %s first', async (order) => {
  let rowsRead = 0
  const run: Connection['run'] = async (_script, [, after, wanted]) => {
    const start = after === '' ? 1_000_000 : Number(after)
    const rows = Array.from({ length: Number(wanted) }, (_, index) => start + (order === 'oldest' ? 1 : -1) * (index + 1)).flatMap(
      (seq) => {
        rowsRead += 1
        return [seq, `e${seq}`, JSON.stringify(storedEvent({ prefix, id: `e${seq}` }))]
      },
    )
    return order === 'oldest' ? [1, ...rows] : rows
  }
  const page = await readRedisEvents({ run } as Connection, { prefix, actorId: 'nobody', ...(order === 'oldest' && { order }), limit: 50 })
  expect(page).toHaveLength(0)
  expect(page.stoppedAt).toBe(1_000_000 + (order === 'oldest' ? rowsRead : -rowsRead))
  expect(rowsRead).toBeLessThan(MOST_EXAMINED + 1_000)
})
