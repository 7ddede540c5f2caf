import { Kysely, PostgresDialect } from 'kysely'
import { type FaultReport, latchkey } from 'latchkey'
import { migrationSql, postgresStore } from 'latchkey/stores/postgres'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { InvalidInputError } from '../../src/errors.js'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { proxyBefore } from './sql/proxy.js'
import { event, token } from './sql/samples.js'
import { serverTests } from './sql/servers.js'

const postgres = await service('postgres')
const url = postgres.url ?? ''

const changed = (change: (url: URL) => void): string => {
  const other = new URL(url)
  change(other)
  return other.href
}

describe.skipIf(postgres.skip)(`the Postgres store and its server ${postgres.skip ?? ''}`, () => {
  serverTests({
    place: () => ownSchema(url),
    open: (place) => postgresStore({ url, schema: place.schema, poolSize: 2 }),
    printed: (place) => migrationSql('postgres', { schema: place.schema }),
    async limited(place) {
      const user = `${place.schema}_app`
      await place.query(`create role ${user} login password 'word'`)
      const as = changed((it) => {
        it.username = user
        it.password = 'word'
      })
      return {
        user,
        store: postgresStore({ url: as, schema: place.schema }),
        remove: () => place.query(`drop owned by ${user}; drop role ${user}`),
      }
    },
    async broken(place) {
      const { schema } = place
      const nobody = changed((it) => {
        it.username = 'latchkey_nobody'
        it.password = 's3cret-word'
      })
      const readOnly = changed((it) => it.searchParams.set('options', '-c default_transaction_read_only=on'))
      return [
        { store: postgresStore({ url: 'postgres://me:s3cret-word@127.0.0.1:1/db' }), says: 'cannot be reached' },
        { store: postgresStore({ url: nobody, schema }), says: 'refused the login' },
        { store: postgresStore({ url: changed((it) => (it.pathname = '/latchkey_no_such')), schema }), says: 'does not exist' },
        { store: postgresStore({ url, schema: `${schema}_no_such` }), says: 'does not exist' },
        { store: postgresStore({ url: readOnly, schema }), says: 'read-only' },
      ]
    },
  })
})

describe.skipIf(postgres.skip)(`connections that the host passes to a Postgres store ${postgres.skip ?? ''}`, () => {
  let place: OwnPlace

  beforeAll(async () => {
    place = await ownSchema(url)
    const store = postgresStore({ url, schema: place.schema })
    await store.migrate?.()
    await store.close?.()
  })
  afterAll(() => place?.remove())

  it("leaves the host's Postgres pool open when the store closes, and returns its connections", async () => {
    const pool = new Pool({ connectionString: url, max: 3 })
    const store = postgresStore({ pool, schema: place.schema })
    const stop = await store.subscribe?.(() => {})
    const known = token()
    await Promise.all(Array.from({ length: 20 }, () => store.commit({ inserts: [token()], events: [event()] })))
    await store.commit({ inserts: [known], events: [event()] })
    expect(await store.find([known.id])).toEqual([known])
    await stop?.()
    await store.close?.()
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(pool.waitingCount).toBe(0)
    expect(pool.idleCount).toBe(pool.totalCount)
    await pool.end()
  })

  it('does not deadlock on a Postgres pool of one connection', async () => {
    const pool = new Pool({ connectionString: url, max: 1 })
    const store = postgresStore({ pool, schema: place.schema })
    const stop = await store.subscribe?.(() => {})
    const results = await Promise.all(Array.from({ length: 10 }, () => store.commit({ inserts: [token()], events: [event()] })))
    expect(results.every(({ ok }) => ok)).toBe(true)
    await stop?.()
    await pool.end()
  })

  it('refuses to read from a Postgres server that has become a standby', async () => {
    const pool = new Pool({ connectionString: url, max: 2, maxUses: 1 })
    let demoted = false
    const changing = {
      connect: (answer: Parameters<typeof pool.connect>[0]) =>
        pool.connect((error, client, release) => {
          if (client === undefined || !demoted) return answer(error, client, release)
          client.query('set default_transaction_read_only = on').then(() => answer(error, client, release), answer as never)
        }),
    }
    const store = postgresStore({ pool: changing as never, schema: place.schema })
    const known = token()
    await store.commit({ inserts: [known], events: [event()] })
    expect(await store.find([known.id])).toEqual([known])
    demoted = true
    await expect(async () => store.find([known.id])).rejects.toThrow('point the options at the primary')
    demoted = false
    expect(await store.find([known.id])).toEqual([known])
    await pool.end()
  })

  it('lets the host end its Postgres pool while the store listens', async () => {
    const pool = new Pool({ connectionString: url, max: 2 })
    const store = postgresStore({ pool, schema: place.schema })
    const wake = vi.fn()
    const stop = await store.subscribe?.(wake)
    await store.commit({ inserts: [token()], events: [event()] })
    await expect.poll(() => wake.mock.calls.length).toBeGreaterThan(0)
    await pool.end()
    expect(pool.totalCount).toBe(0)
    await expect(async () => store.find(['a'])).rejects.toThrow(/is closed/)
    await stop?.()
    await store.close()
  })

  it("listens without occupying a connection of the host's Postgres pool", async () => {
    const pool = new Pool({ connectionString: url, max: 2, application_name: `latchkey ${place.schema}` })
    const store = postgresStore({ pool, schema: place.schema })
    const stop = await store.subscribe?.(() => {})
    const listening = await place.query(`select query from pg_stat_activity where application_name = 'latchkey ${place.schema}'`)
    expect(listening.filter(({ query }) => `${query}`.startsWith('listen '))).toHaveLength(1)
    const held = await pool.connect()
    const results = await Promise.all(Array.from({ length: 10 }, () => store.commit({ inserts: [token()], events: [event()] })))
    expect(results.every(({ ok }) => ok)).toBe(true)
    held.release()
    await stop?.()
    await pool.end()
  })

  it('reports a dropped listening connection once, and health() shows wake-ups as ok again after the reconnect', async () => {
    const name = `latchkey ${place.schema} cut`
    const pool = new Pool({ connectionString: url, max: 2, application_name: name })
    const faults: FaultReport[] = []
    const tokens = latchkey({
      prefix: 'acme_test',
      store: postgresStore({ pool, schema: place.schema }),
      scopes: { 'stock:read': 'See stock' },
      onError: (fault) => faults.push(fault),
      logger: false,
    })
    await tokens.verify((await tokens.system.create({ name: 'ERP', scopes: ['stock:read'] })).token)
    const wakeUps = async (): Promise<unknown> => (await tokens.health()).feed.wakeUps
    await expect.poll(wakeUps).toBe('ok')
    const cut = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = '${name}' and query like 'listen %'`
    await expect.poll(() => place.query(cut)).toHaveLength(1)
    await expect.poll(() => faults.map(({ where }) => where)).toEqual(['store.subscribe'])
    await expect.poll(wakeUps).toBe('ok')
    expect(faults).toHaveLength(1)
    expect(await tokens.health()).toMatchObject({ ok: true })
    await tokens.close()
    await pool.end()
  })

  it('accepts a Kysely instance for Postgres', async () => {
    const kysely = new Kysely<Record<string, never>>({
      dialect: new PostgresDialect({ pool: new Pool({ connectionString: url, max: 2 }) }),
    })
    const store = postgresStore({ kysely, schema: place.schema })
    await store.migrate?.()
    const known = token()
    expect(await store.commit({ inserts: [known], events: [event()] })).toEqual({ ok: true })
    expect(await store.find([known.id, 'another'])).toEqual([known])
    await store.close?.()
    expect(await store.find([known.id])).toEqual([known])
    await kysely.destroy()
  })

  it('wakes Postgres subscribers even after a lost connection, until they stop', async () => {
    const proxy = await proxyBefore(url, 5432)
    const [writer, reader] = [postgresStore({ url, schema: place.schema }), postgresStore({ url: proxy.url, schema: place.schema })]
    const wake = vi.fn()
    const stop = await reader.subscribe?.(wake)
    const woken = async (): Promise<void> => {
      wake.mockClear()
      await writer.commit({ inserts: [token()], events: [event()] })
      await expect.poll(() => wake).toHaveBeenCalled()
    }
    await woken()
    await proxy.die()
    wake.mockClear()
    await proxy.comeBack()
    // A notification may have been lost in the meantime, so a new connection wakes its subscriber right away.
    await expect.poll(() => wake).toHaveBeenCalled()
    await woken()
    await stop?.()
    wake.mockClear()
    await writer.commit({ inserts: [token()], events: [event()] })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(wake).not.toHaveBeenCalled()
    await Promise.all([writer.close?.(), reader.close?.(), proxy.close()])
  })

  it('refuses misspelled, missing and conflicting Postgres options', () => {
    const pool = new Pool({ connectionString: url })
    for (const options of [
      {},
      { url, pool },
      { url: 'mysql://a/b' },
      { url: 7 },
      { url, schema: 'a"b' },
      { url, poolSize: 0 },
      { uri: url },
      null,
    ]) {
      expect(() => postgresStore(options as never)).toThrow(InvalidInputError)
    }
  })
})
