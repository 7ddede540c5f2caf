import { Cluster } from 'ioredis'
import { type RedisClient, redisStore } from 'latchkey/stores/redis'
import { createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { bulkStamp, storedEvent, storedToken } from '../support/records.js'
import { createRedisServer, freePort, type RedisServer, redisServerMissing } from '../support/redis-server.js'

const missing = redisServerMissing()

describe.skipIf(missing)(`a Redis cluster ${missing ?? ''}`, () => {
  const servers: RedisServer[] = []
  const clients: { [kind: string]: { readonly client: RedisClient; close(): unknown } } = {}

  beforeAll(async () => {
    for (let node = 0; node < 3; node += 1) {
      const server = await createRedisServer(['--cluster-enabled', 'yes', '--cluster-port', `${await freePort()}`])
      servers.push(server)
      await server.start()
      await server.ask('CLUSTER', 'ADDSLOTSRANGE', `${Math.ceil((node * 16384) / 3)}`, `${Math.ceil(((node + 1) * 16384) / 3) - 1}`)
      await server.ask('CLUSTER', 'SET-CONFIG-EPOCH', `${node + 1}`)
    }
    const [first, ...others] = servers
    for (const other of others) {
      const bus = /@(\d+)/.exec(String(await other.ask('CLUSTER', 'NODES')))?.[1] ?? ''
      await first?.ask('CLUSTER', 'MEET', '127.0.0.1', `${other.port}`, bus)
    }
    await vi.waitFor(
      async () =>
        expect((await Promise.all(servers.map((server) => server.ask('CLUSTER', 'INFO')))).map(String)).toEqual(
          servers.map(() => expect.stringMatching(/cluster_state:ok[\s\S]*cluster_known_nodes:3/)),
        ),
      { timeout: 60_000, interval: 100 },
    )

    const ioredis = new Cluster([{ host: '127.0.0.1', port: first?.port ?? 0 }])
    clients.ioredis = { client: ioredis, close: () => ioredis.disconnect() }
    const nodeRedis = createCluster({ rootNodes: servers.map(({ url }) => ({ url })) })
    await nodeRedis.connect()
    clients['node-redis'] = { client: nodeRedis, close: () => nodeRedis.destroy() }
  }, 120_000)

  afterAll(async () => {
    for (const { close } of Object.values(clients)) await close()
    for (const server of servers) await server.dispose()
  })

  it.each(['ioredis', 'node-redis'])('works on a Redis cluster over %s, wherever its one slot is', async (kind) => {
    const client = clients[kind]?.client
    if (client === undefined) throw new Error(kind)
    for (const keyPrefix of [`${kind}-a`, `${kind}-b`, `${kind}-c`, `${kind}-d`]) {
      const warnings: unknown[] = []
      const store = redisStore({ client, keyPrefix, onWarning: (warning) => warnings.push(warning) })
      await store.migrate?.()
      let wakes = 0
      await store.subscribe?.(() => {
        wakes += 1
      })
      const { cursor } = await store.changes(undefined, 10)
      const token = storedToken({ tenantId: 'a', ownerId: '{b}' })
      expect(await store.commit({ inserts: [token], events: [storedEvent({ tokenId: token.id })] })).toEqual({ ok: true })
      await expect.poll(() => wakes).toBeGreaterThan(0)
      expect(await store.find([token.id, 'x'])).toEqual([token])
      expect(await store.list({ prefix: 'acme', tenantIds: ['a', 'b'], now: 0, limit: 5 })).toEqual([token])
      await store.recordUsage({
        nodeId: 'n',
        seq: 1,
        at: 1,
        counts: [{ tokenId: token.id, bucketAt: 0, endpoint: '', outcome: 'allowed', scope: '', count: 2 }],
        addresses: [],
        lastUses: [{ tokenId: token.id, at: 7 }],
      })
      expect((await store.usage({ tokenIds: [token.id] })).counts).toMatchObject([{ count: 2 }])
      expect(
        await store.revokeWhere({ prefix: 'acme', ownerId: '{b}' }, bulkStamp({ revokedAt: 9, revokedBy: 'bob' }), storedEvent()),
      ).toMatchObject({ count: 1 })
      expect(await store.changes(cursor, 10)).toMatchObject({ everything: false, bulk: [{ prefix: 'acme', ownerId: '{b}' }] })
      expect(await store.events({ prefix: 'acme', limit: 5 })).toHaveLength(2)
      await store.renewLease({ nodeId: 'n', cursor, expiresAt: 10 })
      expect(await store.leases(9)).toHaveLength(1)
      expect(await store.commit({ removals: [token.id], events: [storedEvent()] })).toEqual({ ok: true })
      await store.close?.()
      expect(warnings.filter((warning) => !JSON.stringify(warning).includes('UNCHECKED'))).toEqual([])
    }
    const filled = await Promise.all(servers.map(async (server) => Number(await server.ask('DBSIZE'))))
    expect(filled.filter((size) => size > 0).length).toBeGreaterThan(1)
  })

  it('reads only from the primaries of a Redis cluster, because a replica may lag behind a revocation', async () => {
    const replicas: RedisServer[] = []
    try {
      for (const primary of servers) {
        const replica = await createRedisServer(['--cluster-enabled', 'yes', '--cluster-port', `${await freePort()}`])
        replicas.push(replica)
        await replica.start()
        const nodes = String(await primary.ask('CLUSTER', 'NODES'))
        const bus = /@(\d+)[^\n]*myself/.exec(nodes)?.[1] ?? ''
        await replica.ask('CLUSTER', 'MEET', '127.0.0.1', `${primary.port}`, bus)
        const id = String(await primary.ask('CLUSTER', 'MYID'))
        await expect.poll(async () => String(await replica.ask('CLUSTER', 'NODES'))).toContain(id)
        await replica.ask('CLUSTER', 'REPLICATE', id)
      }
      // Nodes learn of each other by gossip, which takes a while on a busy machine.
      await vi.waitFor(
        async () => {
          for (const primary of servers) {
            const slots = await primary.ask('CLUSTER', 'SLOTS')
            // Each range lists its start, its end, its primary and its replica.
            for (const range of slots as readonly (readonly unknown[])[]) expect(range).toHaveLength(4)
            expect(String(await primary.ask('INFO', 'replication'))).toMatch(/state=online/)
          }
        },
        { timeout: 60_000, interval: 100 },
      )
      const reading = new Cluster([{ host: '127.0.0.1', port: servers[0]?.port ?? 0 }], { scaleReads: 'slave' })
      const using = createCluster({ rootNodes: servers.map(({ url }) => ({ url })), useReplicas: true })
      await using.connect()
      try {
        await expect.poll(() => reading.nodes('slave').length).toBe(3)
        expect(using.replicas).toHaveLength(3)
        for (const [kind, client] of [
          ['ioredis', reading],
          ['node-redis', using as unknown as RedisClient],
        ] as const) {
          // Each key prefix maps to one slot; together they cover all three primaries.
          for (let slot = 0; slot < 6; slot += 1) {
            const store = redisStore({ client, keyPrefix: `${kind}-replicas-${slot}`, onWarning: () => {} })
            await store.migrate?.()
            const token = storedToken()
            await store.commit({ inserts: [token], events: [storedEvent()] })
            for (let version = 1; version <= 5; version += 1) {
              expect(await store.find([token.id])).toMatchObject([{ version }])
              const record = { ...token, version: version + 1 }
              await store.commit({ updates: [{ expectedVersion: version, record }], events: [storedEvent()] })
            }
            await store.close?.()
          }
        }
        for (const replica of replicas)
          expect(String(await replica.ask('INFO', 'commandstats'))).not.toMatch(/cmdstat_(mget|evalsha|eval):/)
      } finally {
        reading.disconnect()
        using.destroy()
      }
    } finally {
      for (const replica of replicas) await replica.dispose()
    }
  }, 180_000)
})
