import { ERASED } from '../../../model/event.js'
import type { UsageCount } from '../../../model/usage.js'
import { ensure, ensureEqual } from '../../assert.js'
import { batch, inserted, START } from '../build.js'
import type { StoreCases } from '../types.js'

export const HOUR = 3_600_000
/** The hour in which every case starts. */
export const BUCKET: number = START - (START % HOUR)

/** Creates a counter with the required fields, plus `fields`. */
export function use(tokenId: string, fields: Partial<UsageCount> = {}): UsageCount {
  return { tokenId, bucketAt: BUCKET, endpoint: 'GET /stock', outcome: 'allowed', scope: '', count: 1, ...fields }
}

/** Cases about the bounds of a usage query. */
export const usageBoundCases: StoreCases['cases'] = [
  {
    title: 'no address is kept for a token whose owner was erased, even if a node writes it late',
    async run(stage) {
      const erased = await inserted(stage, { name: ERASED, revokedAt: START, revokedBy: 'ann' })
      const others = [
        await inserted(stage, { name: ERASED, revokedAt: START, revokedBy: 'ann', ownerId: 'bob' }),
        await inserted(stage, { name: ERASED }),
        await inserted(stage, { name: '"owner",', revokedAt: START, revokedBy: 'ann', tenantId: '"owner",' }),
      ]
      const tokenIds = [erased, ...others].map(({ id }) => id)
      const ip = '192.0.2.1'
      const late = (at: number) =>
        batch({
          at,
          counts: tokenIds.map((id) => use(id)),
          addresses: tokenIds.map((tokenId) => ({ tokenId, ip, count: 1, lastAt: at })),
          lastUses: tokenIds.map((tokenId) => ({ tokenId, at, ip })),
        })
      await stage.store.recordUsage(late(START))
      await stage.store.recordUsage(late(START + 1))
      const { counts, addresses } = await stage.store.usage({ tokenIds })
      ensureEqual(
        counts.map(({ tokenId, count }) => [tokenId, count]).sort(),
        tokenIds.map((id) => [id, 2]).sort(),
        'recordUsage() must count uses of every token, even if its owner was erased',
      )
      const places = addresses.map(({ tokenId }) => tokenId)
      ensureEqual(
        places.sort(),
        others.map(({ id }) => id).sort(),
        'usage() must return the addresses of every token except the one whose owner was erased',
      )
      const listed = await stage.store.list({ prefix: stage.prefix, ids: tokenIds, now: START, limit: 10 })
      for (const { id, lastUsedAt, lastUsedIp } of listed) {
        ensureEqual(
          [lastUsedAt, lastUsedIp],
          [START + 1, id === erased.id ? undefined : ip],
          'list() must return the last use, without its address if the owner was erased',
        )
      }
    },
  },
  {
    title: 'usage() returns no more counters than the limit',
    async run(stage) {
      const [a, b] = [await inserted(stage), await inserted(stage)]
      const made = Array.from({ length: 30 }, (_, hour) => use(hour % 2 === 0 ? a.id : b.id, { bucketAt: BUCKET + hour * HOUR }))
      await stage.store.recordUsage(batch({ counts: made }))
      for (const [limit, expected] of [
        [7, 7],
        [29, 29],
        [30, 30],
        [31, 30],
      ] as const) {
        const { counts: found } = await stage.store.usage({ tokenIds: [a.id, b.id], from: BUCKET, limit })
        ensureEqual(found.length, expected, `usage() with the limit ${limit} must return ${expected} of 30 counters`)
      }
      const { counts: later } = await stage.store.usage({ tokenIds: [a.id, b.id], from: BUCKET + 28 * HOUR, limit: 2 })
      ensureEqual(later, made.slice(28), 'counters outside the range must not count toward the limit')
    },
  },
  {
    title: 'counters are summed by step from the start of the range, allowed and refused uses separately',
    async run(stage) {
      const [a, b] = [await inserted(stage), await inserted(stage)]
      const from = BUCKET - 70 * 24 * HOUR
      const at = (hour: number): number => from + hour * HOUR
      await stage.store.recordUsage(
        batch({
          counts: [
            use(a.id, { bucketAt: at(-1), count: 1000 }),
            use(a.id, { bucketAt: at(0), count: 1 }),
            use(a.id, { bucketAt: at(4), endpoint: 'PUT /"x"', count: 2 }),
            use(a.id, { bucketAt: at(4), scope: 'stock:read', count: 4 }),
            use(a.id, { bucketAt: at(2), outcome: 'token_expired', count: 8 }),
            use(a.id, { bucketAt: at(3), outcome: 'ip_denied', count: 16 }),
            use(a.id, { bucketAt: at(5), count: 32 }),
            use(b.id, { bucketAt: at(1400), count: 3_000_000_000 }),
            use(b.id, { bucketAt: at(1401), count: 3_000_000_000 }),
            use(b.id, { bucketAt: at(1600), count: 1000 }),
          ],
          addresses: [{ tokenId: a.id, ip: '192.0.2.1', count: 1, lastAt: START }],
        }),
      )
      const step = (tokenId: string, hour: number, outcome: string, count: number): UsageCount =>
        use(tokenId, { bucketAt: at(hour), endpoint: '', outcome, count })
      const query = { tokenIds: [a.id, b.id], from, to: at(1600), stepMs: 5 * HOUR }
      ensureEqual(
        await stage.store.usage({ ...query, limit: 100 }),
        {
          counts: [
            step(a.id, 0, 'allowed', 7),
            step(a.id, 0, 'refused', 24),
            step(a.id, 5, 'allowed', 32),
            step(b.id, 1400, 'allowed', 6e9),
          ],
          addresses: [],
          summed: 8,
        },
        'usage() with stepMs must return one sum per step for allowed uses and one for refused uses',
      )
      for (const [limit, expected] of [
        [3, 3],
        [7, 7],
        [8, 8],
        [9, 8],
      ] as const) {
        const { counts, summed } = await stage.store.usage({ ...query, limit })
        ensureEqual(summed, expected, `usage() with stepMs and the limit ${limit} must add up ${expected} of 8 counters`)
        ensure(counts.length <= expected, 'usage() with stepMs must not return more sums than the number of counters that it added up')
      }
      const one = await stage.store.usage({ tokenIds: [b.id], from, to: at(1401), stepMs: 5 * HOUR, limit: 8 })
      ensureEqual(
        one,
        { counts: [step(b.id, 1400, 'allowed', 3_000_000_000)], addresses: [], summed: 1 },
        'usage() with stepMs must add up only counters in the range',
      )
    },
  },
]
