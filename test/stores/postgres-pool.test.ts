import { CamelCasePlugin, Kysely, ParseJSONResultsPlugin, PostgresDialect } from 'kysely'
import { postgresStore } from 'latchkey/stores/postgres'
import pg, { Pool, type PoolConfig } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { event, token } from './sql/samples.js'
import { proveUnchanged, refusalOf } from './unchanged.js'

const postgres = await service('postgres')
const url = postgres.url ?? ''

describe.skipIf(postgres.skip)(`a Postgres pool with options that change rows ${postgres.skip ?? ''}`, () => {
  let place: OwnPlace
  const cleanups: (() => unknown)[] = []

  beforeAll(async () => {
    place = await ownSchema(url)
    const store = postgresStore({ url, schema: place.schema })
    await store.migrate()
    await store.close()
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(() => place?.remove())

  const pooled = (config: PoolConfig = {}): Pool => {
    const pool = new Pool({ connectionString: url, max: 2, ...config })
    cleanups.push(() => pool.end())
    return pool
  }
  const over = (config: PoolConfig = {}) => postgresStore({ pool: pooled(config), schema: place.schema })

  const parsed: PoolConfig['types'] = {
    getTypeParser: (oid: number) => (text: string) => {
      if (oid === pg.types.builtins.INT8 || oid === pg.types.builtins.INT4) return BigInt(text)
      try {
        return JSON.parse(text)
      } catch {
        return new Date(text)
      }
    },
  } as never

  it.each([
    ['its own type parsers', { types: parsed }],
    [
      'a statement timeout, a name and session options',
      { statement_timeout: 60_000, application_name: '東', options: '-c datestyle=german -c bytea_output=escape' },
    ],
    ['keep-alive and single-use connections', { keepAlive: true, maxUses: 1 }],
    ['an encoding that the driver does not use', { client_encoding: 'LATIN1' }],
    [
      'array_nulls and standard_conforming_strings off',
      { options: '-c array_nulls=off -c standard_conforming_strings=off -c escape_string_warning=off' },
    ],
    ['pipelined queries', { pipeline: true }],
    ['serializable transactions by default', { options: '-c default_transaction_isolation=serializable' }],
  ] as const)('leaves values unchanged on a Postgres pool with %s', async (_title, config) => {
    await proveUnchanged(over(config as PoolConfig))
  })

  it('leaves values unchanged despite process-wide parsers and defaults of pg', async () => {
    const { builtins, getTypeParser, setTypeParser } = pg.types
    const before = [builtins.TEXT, builtins.INT8, builtins.INT4].map((oid) => [oid, getTypeParser(oid, 'text')] as const)
    cleanups.push(() => {
      for (const [oid, parser] of before) setTypeParser(oid, 'text', parser)
      pg.defaults.parseInputDatesAsUTC = false
    })
    setTypeParser(builtins.TEXT, (text: string) => ({ text }))
    setTypeParser(builtins.INT8, (text: string) => new Date(Number(text)))
    setTypeParser(builtins.INT4, () => 7)
    pg.defaults.parseInputDatesAsUTC = true
    await proveUnchanged(over())
    pg.defaults.parseInt8 = true
    await proveUnchanged(over())
    await proveUnchanged(postgresStore({ url, schema: place.schema }))
  })

  it('leaves values unchanged despite parsers set on each pg client', async () => {
    const pool = pooled()
    pool.on('connect', (client) => {
      client.setTypeParser(pg.types.builtins.TEXT, (text: string) => JSON.parse(text))
      client.setTypeParser(pg.types.builtins.INT8, () => null)
    })
    await proveUnchanged(postgresStore({ pool, schema: place.schema }))
  })

  it('refuses a Postgres pool with binary: true, which would read an expiry in 2026 as 2037', async () => {
    const says = await refusalOf(over({ binary: true } as PoolConfig))
    expect(says).toContain('binary: true')
    expect(says).toContain('a 13-digit integer comes back as')
  })

  it('refuses binary results as the process-wide default of pg', async () => {
    cleanups.push(() => {
      pg.defaults.binary = false
    })
    pg.defaults.binary = true
    expect(await refusalOf(over())).toContain('binary: true')
    const own = postgresStore({ url, schema: place.schema })
    expect(await refusalOf(own)).toContain('binary: true')
    await own.close()
  })

  it('refuses a Postgres connection with a different character set, whichever connection of the pool it is', async () => {
    const pool = pooled({ max: 2 })
    const store = postgresStore({ pool, schema: place.schema })
    await store.migrate()
    const first = await pool.connect()
    pool.on('connect', (client) => void client.query("set client_encoding to 'LATIN1'"))
    const says = await refusalOf(store)
    expect(says).toContain('text reaches the server in a different character set')
    first.release()
    expect(await store.find(['a'])).toEqual([])
  })

  it('refuses a Kysely instance that parses values that the pg driver would leave as text', async () => {
    const kysely = new Kysely<Record<string, never>>({
      dialect: new PostgresDialect({ pool: new Pool({ connectionString: url, types: parsed }) }),
    })
    cleanups.push(() => kysely.destroy())
    expect(await refusalOf(postgresStore({ kysely, schema: place.schema }))).toContain('JSON text comes back as an object')
  })

  it('refuses a Postgres database whose encoding cannot represent every character', async () => {
    const name = `${place.schema}_latin`
    await place.query(`create database ${name} encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0`)
    cleanups.push(() => place.query(`drop database ${name}`))
    const latin = new URL(url)
    latin.pathname = `/${name}`
    const own = postgresStore({ url: latin.href })
    cleanups.push(() => own.close())
    expect(await refusalOf(own)).toContain('create the database with UTF8')
    const kysely = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: latin.href }) }) })
    cleanups.push(() => kysely.destroy())
    expect(await refusalOf(postgresStore({ kysely }))).toContain('create the database with UTF8')
  })

  it('refuses an altered Postgres column and names its field', async () => {
    const own = await ownSchema(url)
    cleanups.push(() => own.remove())
    const store = postgresStore({ url, schema: own.schema })
    cleanups.push(() => store.close())
    await store.migrate()
    await own.query('alter table latchkey_tokens alter column description type char(300)')
    await expect(store.migrate()).rejects.toThrow(/description of a token is read back differently from how it was written/)
    expect(await own.query('select count(*)::int as n from latchkey_tokens')).toEqual([{ n: 0 }])
  })

  it('leaves values unchanged with Kysely plugins on Postgres', async () => {
    const plugins = [new CamelCasePlugin(), new ParseJSONResultsPlugin()]
    const kysely = new Kysely<Record<string, never>>({
      dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }),
      plugins,
    })
    cleanups.push(() => kysely.destroy())
    await proveUnchanged(postgresStore({ kysely: kysely.withSchema('elsewhere'), schema: place.schema }))
  })

  it.each(['an open', 'an aborted'])('reads committed data on connections that the host released inside %s transaction', async (which) => {
    const pool = pooled({ max: 3 })
    const store = postgresStore({ pool, schema: place.schema })
    const other = postgresStore({ url, schema: place.schema })
    cleanups.push(() => other.close())
    const known = token()
    await other.commit({ inserts: [known], events: [event()] })
    const { cursor } = await store.changes(undefined, 1)
    const clients = await Promise.all([1, 2, 3].map(() => pool.connect()))
    for (const client of clients) {
      await client.query('begin isolation level repeatable read')
      await client.query(`select count(*) from "${place.schema}".latchkey_tokens`)
      if (which === 'an aborted') await client.query('select 1 / 0').catch(() => undefined)
      client.release()
    }
    const revoked = { ...known, version: 2, revokedAt: 1 }
    await other.commit({ updates: [{ expectedVersion: 1, record: revoked }], events: [event()] })
    const reads = await Promise.all([1, 2, 3].map(() => store.find([known.id])))
    for (const rows of reads) expect(rows).toMatchObject([{ version: 2, revokedAt: 1 }])
    expect((await store.changes(cursor, 10)).ids).toContain(known.id)
    const added = token()
    expect(await store.commit({ inserts: [added], events: [event()] })).toEqual({ ok: true })
    expect(await other.find([added.id])).toEqual([added])
  })

  it('does not interfere with a commit that the host did not await before releasing the connection', async () => {
    const pool = pooled({ max: 1 })
    const store = postgresStore({ pool, schema: place.schema })
    await store.migrate()
    await place.query('create table if not exists kept (n int)')
    const client = await pool.connect()
    await client.query('begin')
    await client.query(`insert into "${place.schema}".kept values (1)`)
    const committed = client.query('commit')
    client.release()
    expect(await store.find(['none'])).toEqual([])
    await committed
    expect(await place.query(`select n from "${place.schema}".kept`)).toEqual([{ n: 1 }])
  })
})
