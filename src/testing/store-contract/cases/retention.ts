import type { UsageAddress, UsageCount, UsageTrim } from '../../../model/usage.js'

import { ensure, ensureEqual } from '../../assert.js'
import { batch, event, eventIds, inserted, list, newPrefix, START } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const HOUR = 3_600_000
const BUCKET = START - (START % HOUR)

const use = (tokenId: string, bucketAt: number, endpoint: string): UsageCount => ({
  tokenId,
  bucketAt,
  endpoint,
  outcome: 'allowed',
  scope: '',
  count: 1,
})
const from = (tokenId: string, ip: string, lastAt: number): UsageAddress => ({ tokenId, ip, count: 1, lastAt })

/** Trims until nothing is left to trim, as a sweep does. */
async function trimAll(stage: Stage, trim: UsageTrim): Promise<void> {
  for (let turn = 0; await stage.handle(turn).trimUsage(trim); turn += 1)
    ensure(turn < 1000, 'trimUsage() must return false once nothing is left to trim')
}

export const retentionCases: StoreCases = {
  title: 'retention',
  cases: [
    {
      title: 'removed events are gone, the remaining events keep their positions, and no position is reused',
      async run(stage) {
        const events = Array.from({ length: 12 }, (_, index) => event(stage.prefix, { tenantId: `t${index % 2}`, count: index }))
        await stage.store.commit({ events })
        const before = await stage.store.events({ prefix: stage.prefix, limit: 100 })
        const ids = events.map(({ id }) => id)
        await stage.second.removeEvents(stage.prefix, [...ids.slice(0, 5), 'gone'])
        await stage.store.removeEvents(stage.prefix, [...ids.slice(4, 6), ...ids.slice(10)])
        await stage.store.removeEvents(stage.prefix, [])
        const rows = await stage.second.events({ prefix: stage.prefix, limit: 100 })
        ensureEqual(rows, before.slice(2, 6), 'removeEvents() must leave the other events unchanged')
        const ofTenant = await stage.store.events({ prefix: stage.prefix, tenantIds: ['t0'], order: 'oldest', limit: 100 })
        ensureEqual(
          ofTenant,
          rows.filter(({ tenantId }) => tenantId === 't0').toReversed(),
          'a filtered list must contain the remaining events and no removed events',
        )
        ensureEqual(await stage.store.commit({ events: [event(stage.prefix)] }), { ok: true }, 'commit() must accept a new event')
        const [newest] = await stage.store.events({ prefix: stage.prefix, limit: 1 })
        ensure(
          (newest?.seq ?? 0) > (before[0]?.seq ?? 0),
          'a new event must get a higher seq than every earlier event, even a removed event',
        )
      },
    },
    {
      title: 'events of another prefix are not removed',
      async run(stage) {
        const [own, other] = [event(stage.prefix), event(newPrefix())]
        await stage.store.commit({ events: [own, other] })
        await stage.store.removeEvents(stage.prefix, [other.id])
        ensureEqual(await eventIds(stage), [own.id], 'removeEvents() must keep an event whose ID was not given')
        const [kept] = await stage.store.events({ prefix: other.prefix, limit: 1 })
        ensureEqual(kept?.id, other.id, 'removeEvents() must not remove an event of another prefix')
      },
    },
    {
      title: 'usage is trimmed by hour and address for the given tokens only, and the last use stays',
      async run(stage) {
        const [{ id }, { id: other }] = [await inserted(stage), await inserted(stage)]
        // Spread over several months, in case a store partitions usage by time.
        const hours = [-1500, -900, -700, -3, -1, 0, 1].map((offset) => BUCKET + offset * HOUR)
        const counts = [id, other].flatMap((token) => hours.flatMap((at) => [use(token, at, 'GET /a'), use(token, at, 'GET /b')]))
        const addresses = [id, other].flatMap((token) => [from(token, '192.0.2.1', BUCKET - 1), from(token, '192.0.2.2', BUCKET)])
        await stage.store.recordUsage(batch({ counts, addresses, lastUses: [{ tokenId: id, at: BUCKET - 1, ip: '192.0.2.1' }] }))
        await trimAll(stage, { tokenIds: [id], countsBefore: BUCKET, addressesBefore: BUCKET })
        const of = (token: string): Promise<unknown> => Promise.resolve(stage.second.usage({ tokenIds: [token] }))
        ensureEqual(
          await of(id),
          { counts: counts.filter(({ tokenId, bucketAt }) => tokenId === id && bucketAt >= BUCKET), addresses: addresses.slice(1, 2) },
          'trimUsage() must remove usage before the given times and keep usage at or after them',
        )
        ensureEqual((await stage.store.usage({ tokenIds: [other] })).counts.length, 14, 'trimUsage() must keep the usage of other tokens')
        const [row] = await list(stage, { ids: [id] })
        ensureEqual([row?.lastUsedAt, row?.lastUsedIp], [BUCKET - 1, '192.0.2.1'], 'trimUsage() must keep the last use')
        ensureEqual(
          await stage.store.trimUsage({ tokenIds: [], countsBefore: BUCKET }),
          false,
          'trimUsage() must return false for an empty list of tokens',
        )
        await trimAll(stage, { tokenIds: [other] })
        ensureEqual((await stage.store.usage({ tokenIds: [other] })).addresses.length, 2, 'trimUsage() without times must remove nothing')
      },
    },
    {
      title: 'large amounts of usage are trimmed in batches while more is counted',
      async run(stage) {
        const { id } = await inserted(stage)
        const counts = Array.from({ length: 600 }, (_, index) => use(id, BUCKET - index * HOUR, 'GET /a'))
        const addresses = Array.from({ length: 600 }, (_, index) => from(id, `10.0.${index >> 8}.${index & 255}`, BUCKET - 1))
        await stage.store.recordUsage(batch({ counts, addresses }))
        await Promise.all([
          trimAll(stage, { tokenIds: [id], countsBefore: BUCKET, addressesBefore: BUCKET }),
          stage.second.recordUsage(batch({ counts: [use(id, BUCKET, 'GET /a')], addresses: [from(id, '10.0.0.1', BUCKET)] })),
        ])
        // Only the current hour is recent enough to stay. Everything older must be gone.
        await trimAll(stage, { tokenIds: [id], countsBefore: BUCKET, addressesBefore: BUCKET })
        const left = await stage.store.usage({ tokenIds: [id] })
        ensureEqual(
          left.counts,
          [{ ...use(id, BUCKET, 'GET /a'), count: 2 }],
          'a trim must keep counts at or after the given time, even counts recorded during the trim',
        )
        ensureEqual(
          left.addresses.map(({ ip, lastAt }) => [ip, lastAt]),
          [['10.0.0.1', BUCKET]],
          'a trim must keep an address that was used again during the trim',
        )
      },
    },
  ],
}
