import { latchkey } from 'latchkey'
import { postgresStore } from 'latchkey/stores/postgres'
import { Pool } from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ERASED } from '../../src/model/event.js'
import type { StoredToken } from '../../src/model/record.js'
import type { Change, RevocationStamp, TokenStore } from '../../src/store/port.js'
import type { OwnPlace } from './sql/databases.js'
import { event, token } from './sql/samples.js'
import { type Connection, onMysql, onPostgres, type Server, servers } from './sql/writers.js'

/** The columns that every token has. */
const COLUMNS = 'id, version, prefix, digest, name, name_folded, scopes, created_at, created_by, updated_at'

const stamp: RevocationStamp = { revokedAt: 1_800_000_000_000, revokedBy: 'admin', revokedCode: 'bulk', bulkId: 'B000000000000001' }

/** Tests of one server, each with its own database and its own open host transaction. */
const stage = (server: Server) => {
  let place: OwnPlace
  let store: TokenStore
  let host: Connection

  beforeEach(async () => {
    place = await server.place()
    store = server.open(place)
    await store.migrate?.()
    host = await server.connect(place)
    await host.query('begin')
  })

  afterEach(async () => {
    await host.query('rollback')
    await host.end()
    await store.close?.()
    await place.remove()
  })

  const addAll = async (added: readonly StoredToken[]): Promise<void> => {
    const change: Change = { inserts: added, events: [event()] }
    expect(await store.commit(change)).toEqual({ ok: true })
  }
  return {
    store: () => store,
    host: () => host,
    place: () => place,
    addAll,
    async add(more: Partial<StoredToken> = {}): Promise<StoredToken> {
      const added = token(more)
      await addAll([added])
      return added
    },
    rename: (record: StoredToken) =>
      store.commit({
        updates: [{ expectedVersion: record.version, record: { ...record, version: record.version + 1, name: 'renamed' } }],
        events: [event({ action: 'token.updated', tokenId: record.id })],
      }),
    revoke: (tenantId: string) =>
      Promise.resolve(store.revokeWhere({ prefix: 'acme', tenantIds: [tenantId] }, stamp, event({ action: 'tokens.revoked', tenantId }))),
    untilWaiting: () =>
      vi.waitFor(async () => expect(Number((await place.query(server.waiting(place)))[0]?.n)).toBeGreaterThan(0), {
        timeout: 10_000,
        interval: 400,
      }),
    rows: async (text: string) => await place.query(text),
  }
}

/** Records how a promise ended, without waiting for it. */
const watched = <T>(promise: T | Promise<T>) => {
  const state = { ended: false }
  const done = Promise.resolve(promise).finally(() => {
    state.ended = true
  })
  return { state, done }
}

for (const server of servers) {
  describe.skipIf(server.skip)(`changes beside locked rows on ${server.name} ${server.skip ?? ''}`, () => {
    const { store, host, place, add, addAll, rename, revoke, untilWaiting, rows } = stage(server)

    it('a bulk revocation that matches no token does not lock the feed', async () => {
      await add({ tenantId: 'a', revokedAt: 1, revokedBy: 'ann', revokedCode: 'manual' })
      await host().query('select * from latchkey_feed where id = 1 for update')
      expect(await revoke('a')).toEqual({ count: 0, events: [] })
    })

    it('an erasure of events does not wait for the feed, and does not lock it', async () => {
      const told = event({ actorId: 'bob' })
      await store().commit({ events: [told] })
      await host().query('select * from latchkey_feed where id = 1 for update')
      const after = { ...told, actorId: ERASED, erased: { salts: {}, commitments: { actorId: 'ab'.repeat(32) } } }
      expect(await store().commit({ erasures: [{ before: told, after }], events: [] })).toEqual({ ok: true })
      expect(await rows('select actor_id from latchkey_events')).toEqual([{ actor_id: ERASED }])
    })

    it('a large bulk revocation that waits for a locked token does not hold up a large revocation of another tenant', async () => {
      const many = (tenantId: string) => Array.from({ length: 220 }, () => token({ tenantId }))
      const [stuck, free] = [many('stuck'), many('free')]
      await addAll([...stuck, ...free])
      await host().query(`select id from latchkey_tokens where id = '${stuck[100]?.id}' for update`)
      const first = watched(revoke('stuck'))
      await untilWaiting()
      expect(await revoke('free')).toMatchObject({ count: 220 })
      expect(first.state.ended).toBe(false)
      await host().query('rollback')
      expect(await first.done).toMatchObject({ count: 220 })
    })

    it('usage that is committed after its token was removed is not kept', async () => {
      const used = await add()
      await host().query(`insert into latchkey_usage_addresses (token_id, ip, uses, last_at) values ('${used.id}', '192.0.2.7', 1, 1)`)
      const batch = { nodeId: 'node', seq: 1, at: 1, counts: [], lastUses: [{ tokenId: used.id, at: 1, ip: '192.0.2.7' }] }
      const { done } = watched(store().recordUsage({ ...batch, addresses: [{ tokenId: used.id, ip: '192.0.2.7', count: 1, lastAt: 1 }] }))
      await untilWaiting()
      const removed = watched(store().commit({ removals: [used.id], events: [event({ action: 'token.pruned' })] }))
      await vi.waitFor(async () => expect(await store().find([used.id])).toEqual([]), { timeout: 10_000 })
      await host().query('rollback')
      await Promise.all([done, removed.done])
      expect(await rows('select * from latchkey_usage_addresses')).toEqual([])
      expect(await rows('select * from latchkey_last_uses')).toEqual([])
    })

    it('a creation waits only briefly for a host transaction that creates the same token', async () => {
      const twice = token({ requestHash: 'r' })
      const values = `'${twice.id}', 1, 'acme', '${twice.digest}', 'theirs', 'theirs', '[]', 1, 'system', 1`
      await host().query(`insert into latchkey_tokens (${COLUMNS}) values (${values})`)
      await expect(Promise.resolve(store().commit({ inserts: [twice], events: [event()] }))).rejects.toThrow(
        'find the transaction that stays open',
      )
      await host().query('rollback')
      expect(await store().commit({ inserts: [twice], events: [event()] })).toEqual({ ok: true })
    })

    it('removing a token waits for a transaction that writes the usage of the token, without blocking the feed', async () => {
      const [old, other] = [await add(), await add()]
      await host().query(`insert into latchkey_last_uses (token_id, last_used_at) values ('${old.id}', 1)`)
      const { done } = watched(store().commit({ removals: [old.id], events: [event({ action: 'token.pruned' })] }))
      await vi.waitFor(async () => expect(await store().find([old.id])).toEqual([]), { timeout: 10_000 })
      expect(await rename(other)).toEqual({ ok: true })
      await host().query('commit')
      expect(await done).toEqual({ ok: true })
    })

    it('creations with many idempotency keys leave connections and turns for other changes while a host transaction blocks them', async () => {
      const other = await add()
      const twice = Array.from({ length: 12 }, () => token({ requestHash: 'r' }))
      for (const { id, digest } of twice) {
        const values = `'${id}', 1, 'acme', '${digest}', 'theirs', 'theirs', '[]', 1, 'system', 1`
        await host().query(`insert into latchkey_tokens (${COLUMNS}) values (${values})`)
      }
      const retries = watched(Promise.allSettled(twice.map((each) => store().commit({ inserts: [each], events: [event()] }))))
      expect(await rename(other)).toEqual({ ok: true })
      for (let round = 0; round < 5; round += 1)
        expect(await store().commit({ inserts: [token({ requestHash: 'r' })], events: [event()] })).toEqual({ ok: true })
      expect(retries.state.ended).toBe(false)
      await host().query('commit')
      expect((await retries.done).map((each) => each.status === 'fulfilled' && each.value.ok)).toEqual(twice.map(() => false))
    })

    it('rotations with an idempotency key that wait for a locked token leave room for creations with a key', async () => {
      const held = await Promise.all(Array.from({ length: 4 }, () => add()))
      for (const { id } of held) await host().query(`select id from latchkey_tokens where id = '${id}' for update`)
      const rotations = held.map((old) =>
        watched(
          store().commit({
            inserts: [token({ requestHash: 'r' })],
            updates: [{ expectedVersion: 1, record: { ...old, version: 2 } }],
            events: [event({ action: 'token.rotated', tokenId: old.id })],
          }),
        ),
      )
      for (let round = 0; round < 3; round += 1)
        expect(await store().commit({ inserts: [token({ requestHash: 'r' })], events: [event()] })).toEqual({ ok: true })
      expect(rotations.map(({ state }) => state.ended)).toEqual([false, false, false, false])
      await host().query('commit')
      for (const { done } of rotations) expect(await done).toEqual({ ok: true })
    })

    it.each([1, 3])('tokens can be revoked (%i at once) even if short host transactions keep one of them locked', async (count) => {
      const hot = await Promise.all(Array.from({ length: count }, () => add({ tenantId: 'hot' })))
      // The lock of a foreign key. On Postgres, it does not conflict with a revocation.
      const share = server.name === 'Postgres' ? 'for key share' : 'lock in share mode'
      let isOver = false
      const keepLocked = async (): Promise<void> => {
        const connection = await server.connect(place())
        while (!isOver) {
          await connection.query('begin')
          await connection.query(`select id from latchkey_tokens where id = '${hot[0]?.id}' ${share}`)
          await new Promise((resolve) => setTimeout(resolve, 40))
          await connection.query('commit')
        }
        await connection.end()
      }
      const hosts = Array.from({ length: 12 }, keepLocked)
      try {
        await new Promise((resolve) => setTimeout(resolve, 200))
        const [first] = hot
        if (count === 1 && first !== undefined) {
          const record = { ...first, version: 2, revokedAt: 2, revokedBy: 'ann', revokedCode: 'manual' } as const
          const change: Change = {
            updates: [{ expectedVersion: 1, record }],
            events: [event({ action: 'token.revoked', tokenId: first.id })],
          }
          expect(await store().commit(change)).toEqual({ ok: true })
        } else expect(await revoke('hot')).toMatchObject({ count })
      } finally {
        isOver = true
        await Promise.all(hosts)
      }
    })

    it('the first change to a token places only its own event', async () => {
      const created = token()
      const connection = await server.connect(place())
      await connection.query('begin')
      const additions = [created, token(), token()].map((each) => ({ inserts: [each], events: [event({ tokenId: each.id })] }))
      for (const addition of additions) expect(await store().commitIn?.(connection, addition)).toEqual({ ok: true })
      await connection.query('commit')
      await connection.end()
      expect(await store().placeEvents?.('acme', [created.id])).toMatchObject([{ tokenId: created.id }])
      expect(await store().placeEvents?.('acme')).toHaveLength(2)
    })

    it('a bulk revocation that matches no token is refused while a move fences the store', async () => {
      expect(await store().saveMove?.('acme', undefined, { state: 'fenced', moveId: 'm1', runId: 'r1' })).toBe(true)
      await expect(revoke('a')).rejects.toMatchObject({ code: 'store_moving' })
    })

    it('an owner who is erased while usage is written leaves no address behind', async () => {
      const owned = await add({ ownerId: 'ann' })
      await host().query(`insert into latchkey_usage_addresses (token_id, ip, uses, last_at) values ('${owned.id}', '192.0.2.7', 1, 1)`)
      const { done } = watched(
        store().recordUsage({
          nodeId: 'node',
          seq: 1,
          at: 1,
          counts: [],
          addresses: [{ tokenId: owned.id, ip: '192.0.2.7', count: 1, lastAt: 1 }],
          lastUses: [{ tokenId: owned.id, at: 1, ip: '192.0.2.7' }],
        }),
      )
      await untilWaiting()
      const { ownerId: _, ...rest } = owned
      const erased: StoredToken = { ...rest, name: ERASED, version: 2, revokedAt: 2, revokedBy: 'admin', revokedCode: 'owner_gone' }
      const change: Change = {
        updates: [{ expectedVersion: 1, record: erased }],
        events: [event({ action: 'token.updated', tokenId: owned.id })],
      }
      expect(await store().commit(change)).toEqual({ ok: true })
      await host().query('commit')
      await done
      expect(await rows('select * from latchkey_usage_addresses')).toEqual([])
      expect(await rows('select last_used_ip from latchkey_last_uses')).toEqual([{ last_used_ip: null }])
    })
  })
}

describe.skipIf(onMysql.skip)(`rows that host transactions lock on MySQL ${onMysql.skip ?? ''}`, () => {
  const { store, host, place, add, addAll, rename, revoke, rows } = stage(onMysql)

  /** A token from an earlier host transaction. The open one locks its event, as on MySQL 8 after it has tried to create the token a second time. */
  const createdAndHeld = async (tenantId: string): Promise<StoredToken> => {
    const created = token({ tenantId })
    const addition = { inserts: [created], events: [event({ tokenId: created.id, tenantId })] }
    const first = await onMysql.connect(place())
    await first.query('begin')
    expect(await store().commitIn?.(first, addition)).toEqual({ ok: true })
    await first.query('commit')
    await first.end()
    await host().query(`select id from latchkey_outbox where token_id = '${created.id}' lock in share mode`)
    return created
  }

  it('events get their positions although a host transaction has locked them', async () => {
    const other = await add()
    const created = await createdAndHeld('a')
    expect(await store().placeEvents?.('acme')).toMatchObject([{ tokenId: created.id }])
    expect(await store().placeEvents?.('acme')).toEqual([])
    expect(await rename(other)).toEqual({ ok: true })
    expect(await rows('select id from latchkey_outbox')).toHaveLength(1)
    await host().query('rollback')
    expect(await store().placeEvents?.('acme')).toEqual([])
    expect(await rows('select id from latchkey_outbox')).toEqual([])
  })

  it('a placed event that a host transaction has locked does not make later calls to placeEvents wait for the feed', async () => {
    await createdAndHeld('a')
    expect(await store().placeEvents?.('acme')).toHaveLength(1)
    const feed = await onMysql.connect(place())
    await feed.query('begin')
    await feed.query('select * from latchkey_feed for update')
    try {
      expect(await store().placeEvents?.('acme')).toEqual([])
    } finally {
      await feed.query('rollback')
      await feed.end()
    }
  })

  it('a bulk revocation does not miss a token whose creation event is locked by a host transaction', async () => {
    const created = await createdAndHeld('a')
    expect(await revoke('a')).toMatchObject({ count: 1 })
    expect(await store().find([created.id])).toMatchObject([{ revokedAt: stamp.revokedAt }])
    const events = await store().events({ prefix: 'acme', order: 'oldest', limit: 10 })
    expect(events.map(({ action }) => action)).toEqual(['token.created', 'tokens.revoked'])
  })

  it('a large bulk revocation in a small table does not wait for tokens that a host transaction has just created', async () => {
    await addAll(Array.from({ length: 300 }, () => token({ tenantId: 'large' })))
    expect(await store().commitIn?.(host(), { inserts: [token({ tenantId: 'b' })], events: [event({ tenantId: 'b' })] })).toEqual({
      ok: true,
    })
    expect(await revoke('large')).toMatchObject({ count: 300 })
    expect(await rows('select count(*) as n from latchkey_tokens where revoked_at is null')).toEqual([{ n: 0 }])
  })
})

describe.skipIf(onPostgres.skip)(`host transactions on Postgres ${onPostgres.skip ?? ''}`, () => {
  it('creations with an idempotency key need no connection besides that of their transaction', async () => {
    const place = await onPostgres.place()
    const pool = new Pool({ connectionString: place.url, options: `-c search_path=${place.schema}`, max: 3 })
    const tokens = latchkey({ prefix: 'acme', scopes: { 'stock:read': '' }, store: postgresStore({ pool }), logger: false })
    try {
      await tokens.system.list()
      const clients = await Promise.all([1, 2, 3].map(() => pool.connect()))
      const created = await Promise.all(
        clients.map(async (client, at) => {
          await client.query('begin')
          const input = { name: 'ERP', scopes: ['stock:read'], idempotencyKey: `k${at}` } as const
          const minted = await tokens.system.create(input, { transaction: client })
          await client.query('commit')
          client.release()
          return minted.token
        }),
      )
      expect(created.filter((text) => text !== undefined)).toHaveLength(3)
    } finally {
      await tokens.close()
      await pool.end()
      await place.remove()
    }
  })
})
