import { type FaultReport, latchkey } from 'latchkey'
import { postgresStore } from 'latchkey/stores/postgres'
import { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ReadAge, TokenStore } from '../../src/store/port.js'
import { PostgresServer, replicationMissing } from '../support/postgres-server.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { event, token } from './sql/samples.js'

const skip = replicationMissing()

const SCOPES = { 'stock:read': 'See stock' } as const

describe.skipIf(skip)(`a streaming replica for cache misses ${skip ?? ''}`, () => {
  let primary: PostgresServer
  let standby: PostgresServer
  let place: OwnPlace
  const cleanups: (() => unknown)[] = []

  beforeAll(async () => {
    primary = await PostgresServer.primary()
    standby = await PostgresServer.standby(primary, 'standby')
  })
  beforeEach(async () => {
    place = await ownSchema(primary.url)
    cleanups.push(() => place.remove())
  })
  afterEach(async () => {
    await standby.query('select pg_wal_replay_resume()').catch(() => undefined)
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(async () => {
    await standby?.dispose()
    await primary?.dispose()
  })

  /** A pool that counts its queries on the tokens table. */
  const counted = (url: string) => {
    const pool = new Pool({ connectionString: url, max: 4 })
    pool.on('error', () => {})
    let queries = 0
    pool.on('connect', (client) => {
      client.on('error', () => {})
      const query = client.query.bind(client)
      client.query = ((...args: Parameters<typeof query>) => {
        if (/latchkey_tokens/.test(String(Reflect.get(Object(args[0]), 'text')))) queries += 1
        return query(...args)
      }) as typeof client.query
    })
    cleanups.push(() => pool.end())
    return {
      pool,
      get queries() {
        return queries
      },
    }
  }

  const nodeOver = (store: TokenStore & { close?(): unknown }) => {
    const faults: FaultReport[] = []
    const tokens = latchkey({
      prefix: 'acme_test',
      store,
      scopes: SCOPES,
      cache: { maxStaleness: '2s' },
      // The servers of this test share the machine with other tests.
      deadline: '20s',
      onError: (fault) => faults.push(fault),
      logger: false,
    })
    cleanups.push(async () => {
      await tokens.close()
      await store.close?.()
    })
    const code = async (text: string): Promise<string> => {
      const verified = await tokens.verify(text)
      return verified.ok ? 'ok' : verified.code
    }
    return { tokens, faults, code, create: () => tokens.system.create({ name: 'ERP', scopes: ['stock:read'] }) }
  }

  /** A node that may send cache misses to a replica, and another node that makes changes. */
  const nodes = async (read: string = standby.url) => {
    const main = counted(primary.url)
    const replica = counted(read)
    const here = nodeOver(postgresStore({ pool: main.pool as never, schema: place.schema, read: { pool: replica.pool as never } }))
    const there = nodeOver(postgresStore({ url: primary.url, schema: place.schema, poolSize: 2 }))
    const first = await there.create()
    await primary.catchUp(standby)
    // The node follows the feed from here on.
    await here.code(first.token)
    await expect.poll(async () => (await here.tokens.health()).feed.ok).toBe(true)
    await expect.poll(async () => (await here.tokens.health()).feed.lagSeconds).toBeDefined()
    return { here, there, main, replica, first }
  }

  it('answers a cache miss from the replica without querying the primary', async () => {
    const { here, there, main, replica } = await nodes()
    const made = await Promise.all(Array.from({ length: 20 }, () => there.create()))
    await primary.catchUp(standby)
    await expect
      .poll(
        async () => {
          const minted = await there.create()
          await primary.catchUp(standby)
          const before = main.queries
          const asked = replica.queries
          expect(await here.code(minted.token)).toBe('ok')
          return main.queries === before && replica.queries > asked
        },
        { timeout: 120_000 },
      )
      .toBe(true)
    const before = main.queries
    for (const { token: text } of made) expect(await here.code(text)).toBe('ok')
    expect(main.queries - before).toBeLessThanOrEqual(2)
    expect(here.faults).toEqual([])
  })

  it('queries the primary for a token that the replica does not have, so a new token is never refused', async () => {
    const { here, there } = await nodes()
    await standby.query('select pg_wal_replay_pause()')
    for (let round = 0; round < 10; round += 1) {
      const { token: text } = await there.create()
      expect(await here.code(text)).toBe('ok')
    }
    const mistyped = (await there.create()).token.replace(/.$/, (last) => (last === 'x' ? 'y' : 'x'))
    expect(await here.code(mistyped)).toBe('token_malformed')
  })

  for (const [verb, change, after] of [
    ['revoked', (t: ReturnType<typeof nodeOver>, id: string) => t.tokens.system.revoke(id), 'token_revoked'],
    ['rotated', (t: ReturnType<typeof nodeOver>, id: string) => t.tokens.system.rotate(id), 'token_revoked'],
    ['deactivated', (t: ReturnType<typeof nodeOver>, id: string) => t.tokens.system.deactivate(id), 'token_inactive'],
    ['revoked in bulk', (t: ReturnType<typeof nodeOver>) => t.tokens.system.revokeAll({ all: true }), 'token_revoked'],
  ] as const) {
    it(`rejects a token that was ${verb} on this node from the next verification on, while the replica is paused`, async () => {
      const { here, there } = await nodes()
      for (let round = 0; round < 5; round += 1) {
        const { token: text, record } = await there.create()
        await primary.catchUp(standby)
        await standby.query('select pg_wal_replay_pause()')
        await change(here, record.id)
        expect(await here.code(text)).toBe(after)
        expect(await here.code(text)).toBe(after)
        await standby.query('select pg_wal_replay_resume()')
      }
    })

    it(`rejects a token that was ${verb} on another node once the bound has passed, while the replica is paused`, async () => {
      const { here, there } = await nodes()
      const { token: text, record } = await there.create()
      await primary.catchUp(standby)
      await standby.query('select pg_wal_replay_pause()')
      await change(there, record.id)
      const acknowledged = performance.now()
      const late: number[] = []
      while (performance.now() - acknowledged < 3_500) {
        const began = performance.now()
        // Each new token causes another cache miss, so no stale answer of the replica may last either.
        const fresh = await there.create()
        await here.code(fresh.token)
        if ((await here.code(text)) === 'ok') late.push(began - acknowledged)
      }
      expect(late.filter((ms) => ms > 2_000)).toEqual([])
      expect(await here.code(text)).toBe(after)
    })
  }

  it('reports a replica that is far behind once, bypasses it, and uses it again once it has caught up', async () => {
    const { here, there, replica } = await nodes()
    const isUsed = async (): Promise<boolean> => {
      const { token: text } = await there.create()
      await primary.catchUp(standby)
      const before = replica.queries
      expect(await here.code(text)).toBe('ok')
      return replica.queries > before
    }
    // On a busy machine, connecting to it may take too long at first.
    await expect.poll(isUsed, { timeout: 60_000, interval: 100 }).toBe(true)
    const before = here.faults.length
    await standby.query('select pg_wal_replay_pause()')
    await expect
      .poll(
        async () => {
          expect(await here.code((await there.create()).token)).toBe('ok')
          return here.faults.slice(before).map(({ where }) => where)
        },
        { timeout: 60_000, interval: 100 },
      )
      .toEqual(['replica'])
    expect(String(here.faults[before]?.error.message)).toContain('behind')
    const asked = replica.queries
    await Promise.all(Array.from({ length: 20 }, async () => here.code((await there.create()).token)))
    expect(replica.queries - asked).toBeLessThanOrEqual(1)
    await standby.query('select pg_wal_replay_resume()')
    await expect.poll(isUsed, { timeout: 60_000, interval: 100 }).toBe(true)
    expect(here.faults).toHaveLength(before + 1)
  }, 210_000)

  const useless: readonly (readonly [string, () => Promise<string> | string, RegExp])[] = [
    ['a replica that does not respond', () => 'postgres://postgres@127.0.0.1:1/postgres', /cannot be reached/],
    [
      'a replica that is an empty database',
      async () => `${standby.url.replace(/postgres$/, 'template1')}`,
      /tables are missing|does not exist/,
    ],
    [
      'a replica that is a different database with the same names',
      async () => {
        await primary.query('create database copied')
        cleanups.push(() => primary.query('drop database copied with (force)'))
        const url = primary.url.replace(/postgres$/, 'copied')
        const other = await ownSchema(url)
        await other.query(`alter schema "${other.schema}" rename to "${place.schema}"`)
        cleanups.push(() => other.remove().catch(() => undefined))
        const store = postgresStore({ url, schema: place.schema, poolSize: 1 })
        await store.migrate()
        await store.commit({ inserts: [token()], events: [event()] })
        await store.close()
        return url
      },
      /a different database/,
    ],
    ['a replica that refuses the login', () => standby.url.replace('postgres@', 'nobody@'), /refused the login/],
  ]
  for (const [what, where, says] of useless) {
    it(`reports ${what} once, and affects no verification`, async () => {
      const url = await where()
      const { here, there } = await nodes(url)
      await expect
        .poll(
          async () => {
            expect(await here.code((await there.create()).token)).toBe('ok')
            return here.faults.length
          },
          { timeout: 30_000, interval: 100 },
        )
        .toBe(1)
      expect(here.faults[0]).toMatchObject({ where: 'replica', error: { message: expect.stringMatching(says) } })
      const diagnosis = await postgresStore({ url: primary.url, schema: place.schema, read: { url } }).diagnose?.()
      expect(diagnosis?.findings.find(({ name }) => name === 'replica')).toMatchObject({ ok: false })
    }, 120_000)
  }

  it('accepts the primary itself as the replica', async () => {
    const { here, there, replica } = await nodes(primary.url)
    await expect
      .poll(async () => {
        const before = replica.queries
        expect(await here.code((await there.create()).token)).toBe('ok')
        return replica.queries > before
      })
      .toBe(true)
    expect(here.faults).toEqual([])
  })

  it('refuses a replica as the main store, and diagnoses how far it is behind', async () => {
    const alone = postgresStore({ url: standby.url, schema: place.schema })
    await expect(async () => alone.find(['a'])).rejects.toThrow('read-only')
    await alone.close()
    const { there } = await nodes()
    const store = postgresStore({ url: primary.url, schema: place.schema, read: { url: standby.url } })
    cleanups.push(() => store.close())
    await primary.catchUp(standby)
    const finding = async () => (await store.diagnose?.())?.findings.find(({ name }) => name === 'replica')
    expect(await finding()).toEqual({ name: 'replica', ok: true, detail: 'up to date with the primary' })
    await standby.query('select pg_wal_replay_pause()')
    await there.create()
    expect((await finding())?.detail).toMatch(/^\d+ feed entries behind the primary$/)
  })

  it('answers every verification when the replica stops responding', async () => {
    const { here, there } = await nodes()
    const doomed = await PostgresServer.standby(primary, 'doomed')
    cleanups.push(() => doomed.dispose())
    const store = postgresStore({ url: primary.url, schema: place.schema, read: { url: doomed.url } })
    const node = nodeOver(store)
    await node.code((await there.create()).token)
    await primary.catchUp(doomed)
    await node.code((await there.create()).token)
    await doomed.kill()
    for (let round = 0; round < 20; round += 1) expect(await node.code((await there.create()).token)).toBe('ok')
    expect(new Set(node.faults.map(({ where }) => where))).toEqual(new Set(node.faults.length === 0 ? [] : ['replica']))
    expect(here.faults).toEqual([])
  })

  it('stops using a replica that was promoted and diverged', async () => {
    const { there } = await nodes()
    const other = await PostgresServer.standby(primary, 'other')
    cleanups.push(() => other.dispose())
    const node = nodeOver(postgresStore({ url: primary.url, schema: place.schema, read: { url: other.url } }))
    const minted = await Promise.all(Array.from({ length: 4 }, () => there.create()))
    await node.code(minted[0]?.token ?? '')
    await primary.catchUp(other)
    await other.promote()
    // The other timeline assigns the same positions, and many more of them.
    const lost = postgresStore({ url: other.url, schema: place.schema })
    const ghosts = nodeOver(lost)
    const ghost = await ghosts.create()
    for (const { record } of minted.slice(2)) await ghosts.tokens.system.revoke(record.id)
    for (let round = 0; round < 10; round += 1) await ghosts.create()
    const revoked = minted[1]
    await there.tokens.system.revoke(revoked?.record.id ?? '')
    await expect.poll(() => node.code(revoked?.token ?? '')).toBe('token_revoked')
    for (const { token: text } of minted.slice(2)) expect(await node.code(text)).toBe('ok')
    expect(await node.code(ghost.token)).toBe('token_unknown')
  })

  it('ignores changes made only on a replica that was secretly promoted', async () => {
    const { there } = await nodes()
    const other = await PostgresServer.standby(primary, 'secret')
    cleanups.push(() => other.dispose())
    const store = postgresStore({ url: primary.url, schema: place.schema, read: { url: other.url } })
    cleanups.push(() => store.close())
    const [kept, ended] = [await there.create(), await there.create()]
    const { cursor } = await store.changes(undefined, 1)
    await primary.catchUp(other)
    await other.promote()
    const lost = nodeOver(postgresStore({ url: other.url, schema: place.schema }))
    await lost.tokens.system.deactivate(ended.record.id)
    const age: ReadAge = { notBefore: cursor }
    const found = await store.find([kept.record.id, ended.record.id], age)
    expect(found.find(({ id }) => id === ended.record.id)?.deactivatedAt).toBeUndefined()
    expect(found.map(({ id }) => id).sort()).toEqual([kept.record.id, ended.record.id].sort())
  })
})
