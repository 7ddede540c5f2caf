import type { NodeLease } from '../../../store/port.js'
import { ensureEqual } from '../../assert.js'
import { inserted, START } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

async function leases(stage: Stage, now: number): Promise<NodeLease[]> {
  // Leases belong to no prefix, so those of other instances are filtered out.
  const all = await stage.second.leases(now)
  return all.filter(({ nodeId }) => nodeId.startsWith(stage.prefix)).toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
}

export const leaseCases: StoreCases = {
  title: 'leases',
  cases: [
    {
      title: 'a lease is alive before its expiry, and no longer alive at its expiry',
      async run(stage) {
        const { cursor } = await stage.store.changes(undefined, 1)
        const short = { nodeId: `${stage.prefix}-a`, cursor, expiresAt: START + 10 }
        const long = { nodeId: `${stage.prefix}-b`, cursor, expiresAt: START + 20 }
        await stage.store.renewLease(short)
        await stage.second.renewLease(long)
        ensureEqual(await leases(stage, START + 9), [short, long], 'leases() must return a lease one millisecond before its expiry')
        ensureEqual(await leases(stage, START + 10), [long], 'leases() must not return a lease at its expiry')
        ensureEqual(await leases(stage, START + 20), [], 'leases() must not return expired leases')
      },
    },
    {
      title: 'a renewal extends the lease and moves its position in the feed',
      async run(stage) {
        const nodeId = `${stage.prefix}-a`
        const before = await stage.store.changes(undefined, 1)
        await stage.store.renewLease({ nodeId, cursor: before.cursor, expiresAt: START + 10 })
        await inserted(stage)
        const { cursor } = await stage.store.changes(undefined, 1)
        await stage.store.renewLease({ nodeId, cursor, expiresAt: START + 30 })
        ensureEqual(
          await leases(stage, START + 20),
          [{ nodeId, cursor, expiresAt: START + 30 }],
          'a renewal must replace the expiry and the cursor of the lease',
        )
        await stage.store.renewLease({ nodeId, cursor, expiresAt: START })
        ensureEqual(await leases(stage, START), [], 'a renewal with a past expiry must end the lease')
      },
    },
    {
      title: 'node names are compared byte for byte, even when leases are renewed concurrently',
      async run(stage) {
        const { cursor } = await stage.store.changes(undefined, 1)
        const nodes = ['n', 'N', 'n ', 'n:1', '%', '__proto__', 'ñ'].map((name) => ({
          nodeId: `${stage.prefix}${name}`,
          cursor,
          expiresAt: START + 10,
        }))
        await Promise.all([...nodes, ...nodes].map(async (lease, turn) => stage.handle(turn).renewLease(lease)))
        ensureEqual(
          await leases(stage, START),
          nodes.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1)),
          'leases() must return one lease for each node',
        )
      },
    },
    {
      title: 'renewing leases together has the same effect as renewing them one by one, even concurrently',
      async run(stage) {
        const { store, second, prefix } = stage
        if (store.renewLeases === undefined) return
        const { cursor } = await store.changes(undefined, 1)
        const of = (expiresAt: number, from: number, to: number): NodeLease[] =>
          Array.from({ length: to - from }, (_, at) => ({ nodeId: `${prefix}-${String(from + at).padStart(4, '0')}`, cursor, expiresAt }))
        await store.renewLeases([])
        await store.renewLeases(of(START + 10, 0, 1000))
        await second.renewLease({ nodeId: `${prefix}-0001`, cursor, expiresAt: START + 20 })
        ensureEqual((await leases(stage, START + 9)).length, 1000, 'renewLeases() must register every lease')
        ensureEqual(await leases(stage, START + 10), of(START + 20, 1, 2), 'renewing one lease must not renew the others')
        const [there, back] = [of(START + 30, 0, 600), of(START + 30, 400, 1000).toReversed()]
        await Promise.all([0, 1, 2, 3].map(async (turn) => stage.handle(turn).renewLeases?.(turn % 2 === 0 ? there : back)))
        ensureEqual(await leases(stage, START + 29), of(START + 30, 0, 1000), 'concurrent renewLeases() calls must renew every lease')
      },
    },
    {
      title: 'a lease stays alive regardless of the wall clocks of nodes that renew other leases',
      async run(stage) {
        const { store, second, prefix } = stage
        const { cursor } = await store.changes(undefined, 1)
        const of = (name: string, expiresAt: number): NodeLease => ({ nodeId: `${prefix}-${name}`, cursor, expiresAt })
        const year = 366 * 24 * 3_600_000
        const [behind, right, ahead] = [of('a', START - year), of('b', START), of('c', START + 10 * year)]
        for (const lease of [behind, right, ahead]) await store.renewLease(lease)
        // Enough renewals to make a store with occasional cleanup run it.
        for (let turn = 1; turn <= 64; turn += 1) await second.renewLease({ ...ahead, expiresAt: ahead.expiresAt + turn })
        if (store.renewLeases !== undefined) await store.renewLeases([right, of('c', ahead.expiresAt + 64)])
        ensureEqual(
          await leases(stage, 0),
          [behind, right, of('c', ahead.expiresAt + 64)],
          'a renewal must not remove the leases of other nodes',
        )
      },
    },
  ],
}
