import { memoryStore } from 'latchkey/stores/memory'
import type { UsageAddress, UsageCount } from '../../../src/model/usage.js'
import { pause } from '../../../src/testing/pause.js'
import { type Liar, single } from './liar.js'

export const usageLiars: readonly Liar[] = [
  {
    name: 'loses parallel increments of usage',
    caughtBy: 'counts are exact when 100 parallel writers from two instances send every batch twice',
    create() {
      const honest = memoryStore()
      const rows = new Map<string, UsageCount>()
      const seen = new Map<string, number>()
      return single({
        ...honest,
        async recordUsage(batch) {
          const isNew = await honest.recordUsage({ ...batch, counts: [] })
          if (batch.seq <= (seen.get(batch.nodeId) ?? 0)) return isNew
          seen.set(batch.nodeId, batch.seq)
          for (const count of batch.counts) {
            const key = JSON.stringify({ ...count, count: 0 })
            const before = rows.get(key)?.count ?? 0
            await pause(0)
            rows.set(key, { ...count, count: before + count.count })
          }
          return isNew
        },
        async usage({ tokenIds, from = 0, to = Number.POSITIVE_INFINITY }) {
          const { addresses } = await honest.usage({ tokenIds })
          const order = ({ bucketAt, endpoint, outcome }: UsageCount): string => JSON.stringify([bucketAt, endpoint, outcome])
          const counts = [...rows.values()]
            .filter(({ tokenId, bucketAt }) => tokenIds.includes(tokenId) && bucketAt >= from && bucketAt < to)
            .toSorted((a, b) => (order(a) < order(b) ? -1 : 1))
          return { counts, addresses }
        },
      })
    },
  },
  {
    name: 'counts a repeated batch again',
    caughtBy: 'a batch is counted once even if it is sent repeatedly, and a late batch with a lower seq is ignored',
    create() {
      const honest = memoryStore()
      let batches = 0
      return single({
        ...honest,
        recordUsage(batch) {
          batches += 1
          return honest.recordUsage({ ...batch, nodeId: `${batches}` })
        },
      })
    },
  },
  {
    name: 'overwrites the last use with an older one',
    caughtBy: 'the last use never moves back, and the stored address is from that use',
    create() {
      const honest = memoryStore()
      const latest = new Map<string, { readonly at: number; readonly ip?: string }>()
      return single({
        ...honest,
        recordUsage(batch) {
          for (const { tokenId, at, ip } of batch.lastUses) latest.set(tokenId, { at, ...(ip !== undefined && { ip }) })
          return honest.recordUsage(batch)
        },
        async list(query) {
          return (await honest.list(query)).map(({ lastUsedAt: _, lastUsedIp: __, ...row }) => {
            const use = latest.get(row.id)
            if (use === undefined) return row
            return { ...row, lastUsedAt: use.at, ...(use.ip !== undefined && { lastUsedIp: use.ip }) }
          })
        },
      })
    },
  },
  {
    name: 'omits the scope from usage counters',
    caughtBy: 'counts are summed by token, hour, endpoint, outcome and scope, and sorted in that order',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        recordUsage: (batch) => honest.recordUsage({ ...batch, counts: batch.counts.map((count) => ({ ...count, scope: '' })) }),
      })
    },
  },
  {
    name: 'keeps an unlimited number of addresses for a token',
    caughtBy: 'only the most recent addresses of a token are kept, and a dropped address starts again at zero',
    create() {
      const honest = memoryStore()
      const rows = new Map<string, UsageAddress>()
      return single({
        ...honest,
        async recordUsage(batch) {
          for (const added of batch.addresses) {
            const key = JSON.stringify([added.tokenId, added.ip])
            const known = rows.get(key)
            rows.set(key, {
              ...added,
              count: added.count + (known?.count ?? 0),
              lastAt: Math.max(added.lastAt, known?.lastAt ?? added.lastAt),
            })
          }
          return await honest.recordUsage(batch)
        },
        async usage(query) {
          const { counts } = await honest.usage(query)
          const own = [...rows.values()].filter(({ tokenId }) => query.tokenIds.includes(tokenId))
          return { counts, addresses: own.toSorted((a, b) => b.lastAt - a.lastAt).slice(0, 1000) }
        },
      })
    },
  },
  {
    name: 'ignores the limit of usage()',
    caughtBy: 'usage() returns no more counters than the limit',
    create() {
      const honest = memoryStore()
      return single({ ...honest, usage: ({ limit: _, ...query }) => honest.usage(query) })
    },
  },
  {
    name: 'sums usage from a multiple of the step, not from the start of the range',
    caughtBy: 'counters are summed by step from the start of the range, allowed and refused uses separately',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async usage({ stepMs, from, ...query }) {
          if (stepMs === undefined || from === undefined) return honest.usage({ ...query, ...(from !== undefined && { from }) })
          const { counts } = await honest.usage({ ...query, from: from - (from % stepMs), stepMs })
          return { counts, addresses: [] }
        },
      })
    },
  },
]
