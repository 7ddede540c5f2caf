import { CamelCasePlugin, Kysely, MysqlDialect, ParseJSONResultsPlugin } from 'kysely'
import { mysqlStore } from 'latchkey/stores/mysql'
import { createPool, type Pool, type PoolOptions, type TypeCastField, type TypeCastNext } from 'mysql2'
import { createConnection, createPool as createPromisePool } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { SET_SESSION } from '../../adapters/stores/sql/dialects/mysql-session.js'
import { service } from '../support/services.js'
import { createSqlServer, type SqlServer, sqlServerMissing } from '../support/sql-server.js'
import { type OwnPlace, ownDatabase } from './sql/databases.js'
import { event, token } from './sql/samples.js'
import { proveUnchanged, refusalOf } from './unchanged.js'

const mysql = await service('mysql')

describe.skipIf(mysql.skip)(`a MySQL pool with options that change rows ${mysql.skip ?? ''}`, () => {
  let place: OwnPlace
  const cleanups: (() => unknown)[] = []

  beforeAll(async () => {
    place = await ownDatabase(mysql.url ?? '')
    const store = mysqlStore({ url: place.url })
    await store.migrate()
    await store.close()
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(() => place?.remove())

  const pooled = (options: PoolOptions = {}): Pool => {
    const pool = createPool({ uri: place.url, connectionLimit: 2, ...options })
    cleanups.push(() => pool.promise().end())
    return pool
  }
  const over = (options: PoolOptions = {}) => mysqlStore({ pool: pooled(options) })

  /** A pool that runs these statements on every new connection before the connection is used. */
  const prepared = (statements: readonly string[], options: PoolOptions = {}): Pool => {
    const pool = pooled(options)
    pool.on('connection', (connection) => {
      for (const statement of statements) connection.query(statement)
    })
    return pool
  }

  const parseAll = (field: TypeCastField, next: TypeCastNext): unknown => {
    const value = field.type === 'LONGLONG' ? field.string() : next()
    if (value === null) return undefined
    try {
      return JSON.parse(String(value))
    } catch {
      return new Date(String(value))
    }
  }

  const shapes: readonly (readonly [string, PoolOptions])[] = [
    ['a cast that parses JSON and turns NULL into undefined', { typeCast: parseAll as never }],
    ['typeCast: false', { typeCast: false }],
    ['rowsAsArray', { rowsAsArray: true }],
    ['nestTables', { nestTables: true } as PoolOptions],
    ['nestTables with a separator', { nestTables: '_' } as PoolOptions],
    ['namedPlaceholders', { namedPlaceholders: true }],
    ['big numbers as text', { supportBigNumbers: true, bigNumberStrings: true }],
    ['big numbers', { supportBigNumbers: true }],
    [
      'dates as text, decimals as numbers, JSON as text, a time zone',
      { dateStrings: true, decimalNumbers: true, jsonStrings: true, timezone: '+09:00' } as PoolOptions,
    ],
    ['several statements at once', { multipleStatements: true }],
    ['counts of only the changed rows', { flags: ['-FOUND_ROWS'] }],
    ['another collation of the same characters', { charset: 'utf8mb4_bin' }],
    ['objects as text', { stringifyObjects: true }],
    ['few prepared statements', { maxPreparedStatements: 1 }],
    ['compression', { compress: true }],
    ['sessions that are reset on release', { resetOnRelease: true } as PoolOptions],
  ]

  it.each(shapes)('leaves values unchanged on a MySQL pool with %s', async (_title, options) => {
    await proveUnchanged(over(options))
  })

  it.each(shapes)('leaves values unchanged on a MySQL pool with %s and without code generation', async (_title, options) => {
    await proveUnchanged(over({ ...options, disableEval: true }))
  })

  it('leaves values unchanged on a promise pool of mysql2', async () => {
    const pool = createPromisePool({ uri: place.url, typeCast: false, rowsAsArray: true })
    cleanups.push(() => pool.end())
    await proveUnchanged(mysqlStore({ pool }))
  })

  it('accepts MySQL session settings that do not affect values', async () => {
    const modes = 'ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE,NO_UNSIGNED_SUBTRACTION,HIGH_NOT_PRECEDENCE,STRICT_ALL_TABLES'
    await proveUnchanged(mysqlStore({ pool: prepared([`set session sql_mode = '${modes}'`]) }))
    await proveUnchanged(mysqlStore({ pool: prepared(['set session transaction isolation level serializable']) }))
    await proveUnchanged(mysqlStore({ pool: prepared(['set session character_set_results = null']) }))
  })

  it.each(['latin1', 'utf8', 'ascii', 'cp1251'])('refuses a MySQL pool with charset %s and names the option', async (charset) => {
    const says = await refusalOf(over({ charset }))
    expect(says).toContain('because of charset')
    expect(says).toContain('text')
  })

  it('keeps the tenants 東 and q distinct by refusing a pool with charset latin1', async () => {
    const known = token({ tenantId: 'q' })
    const sound = mysqlStore({ url: place.url })
    cleanups.push(() => sound.close())
    await sound.commit({ inserts: [known], events: [event()] })
    const latin = over({ charset: 'latin1' })
    await expect(async () => latin.commit({ inserts: [token({ tenantId: '東' })], events: [event()] })).rejects.toThrow(/charset/)
    await expect(async () => latin.list({ prefix: 'acme', tenantIds: ['東'], now: 0, limit: 10 })).rejects.toThrow(/charset/)
    expect(await sound.list({ prefix: 'acme', tenantIds: ['q'], ids: [known.id], now: 0, limit: 10 })).toEqual([known])
  })

  it('refuses a MySQL pool with its own queryFormat and names the option', async () => {
    const queryFormat = (sql: string): string => sql
    expect(await refusalOf(over({ queryFormat } as PoolOptions))).toContain('because of queryFormat')
  })

  it.each([
    ["set session sql_mode = ''", 'STRICT_TRANS_TABLES'],
    ["set session sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'", 'NO_BACKSLASH_ESCAPES'],
    ["set session sql_mode = 'STRICT_ALL_TABLES,EMPTY_STRING_IS_NULL'", 'EMPTY_STRING_IS_NULL'],
    ['set session autocommit = 0', 'autocommit'],
    ['set session sql_safe_updates = 1', 'sql_safe_updates'],
    ['set session sql_select_limit = 1', 'sql_select_limit'],
    ['set session completion_type = 1', 'completion_type'],
    ['set session unique_checks = 0', 'unique_checks'],
    ['set session transaction isolation level read uncommitted', 'READ UNCOMMITTED'],
    ['set names latin1', 'text reaches the server in a different character set'],
    ['set session character_set_results = latin1', 'text in other scripts comes back as different text'],
  ])('refuses MySQL connections after "%s" and names the cause', async (statement, says) => {
    // MySQL lacks some of MariaDB's modes and rejects the statement itself.
    const known = await place.query(statement.replace('session ', '')).then(
      () => true,
      () => false,
    )
    await place.query('set names utf8mb4, sql_mode = default, autocommit = 1, sql_safe_updates = 0, sql_select_limit = default')
    await place.query('set completion_type = 0, unique_checks = 1, transaction_isolation = default').catch(() => {})
    await place.query('set session transaction isolation level repeatable read')
    if (!known) return
    expect(await refusalOf(mysqlStore({ pool: prepared([statement]) }))).toContain(says)
  })

  it('checks every connection of a MySQL pool, not only the first', async () => {
    const pool = pooled({ connectionLimit: 2 })
    const store = mysqlStore({ pool })
    await store.migrate()
    const [first] = [await pool.promise().getConnection()]
    pool.on('connection', (connection) => connection.query("set session sql_mode = ''"))
    await expect(async () => store.find(['a'])).rejects.toThrow(/STRICT_TRANS_TABLES/)
    await expect(async () => store.commit({ inserts: [token()], events: [event()] })).rejects.toThrow(/STRICT_TRANS_TABLES/)
    first.release()
    expect(await store.find(['a'])).toEqual([])
  })

  it('refuses MySQL tables with altered columns', async () => {
    const own = await ownDatabase(mysql.url ?? '')
    cleanups.push(() => own.remove())
    const store = mysqlStore({ url: own.url })
    cleanups.push(() => store.close())
    await store.migrate()
    await own.query('alter table latchkey_tokens modify description char(200) character set utf8mb4, modify expires_at double')
    await own.query('alter table latchkey_tokens modify metadata mediumtext character set latin1')
    await own.query('set global sql_mode = default')
    await expect(store.migrate()).rejects.toThrow(/is read back differently from how it was written|the database failed/)
  })

  const kyselyOver = (pool: Pool) => new Kysely<Record<string, never>>({ dialect: new MysqlDialect({ pool }) })

  it('refuses a Kysely instance over a MySQL pool that reshapes rows', async () => {
    for (const [options, says] of [
      [{ rowsAsArray: true }, 'rows do not come back as objects'],
      [{ nestTables: true }, 'columns come back under other names'],
      [{ typeCast: false }, 'comes back as a Buffer'],
      [{ charset: 'latin1' }, 'text in other scripts'],
      [{ typeCast: parseAll }, 'JSON text comes back as an object'],
    ] as const) {
      expect(await refusalOf(mysqlStore({ kysely: kyselyOver(pooled(options as PoolOptions)) }))).toContain(says)
    }
    expect(await refusalOf(mysqlStore({ kysely: kyselyOver(prepared(['set session autocommit = 0'])) }))).toContain('autocommit')
  })

  it('refuses a change over a MySQL connection with a different character set behind a Kysely instance', async () => {
    const pool = pooled({ connectionLimit: 2 })
    const store = mysqlStore({ kysely: kyselyOver(pool) })
    await store.migrate()
    const first = await pool.promise().getConnection()
    pool.on('connection', (connection) => connection.query('set names latin1'))
    await expect(async () => store.commit({ inserts: [token()], events: [event()] })).rejects.toThrow(/character set/)
    first.release()
  })

  it('leaves values unchanged with a MySQL cast that keeps text as it is, and with Kysely plugins', async () => {
    const undefinedForNull = (_field: TypeCastField, next: TypeCastNext): unknown => next() ?? undefined
    const pool = pooled({ typeCast: undefinedForNull as never, supportBigNumbers: true, bigNumberStrings: true })
    const plugins = [new CamelCasePlugin(), new ParseJSONResultsPlugin()]
    const kysely = new Kysely<Record<string, never>>({ dialect: new MysqlDialect({ pool }), plugins })
    await proveUnchanged(mysqlStore({ kysely }))
  })
})

const missing = sqlServerMissing('mariadb')

describe.skipIf(missing)(`a MySQL server with defaults that change values ${missing ?? ''}`, () => {
  let server: SqlServer

  beforeAll(async () => {
    server = await createSqlServer('mariadb', async () => ['--sql-mode=', '--autocommit=0', '--character-set-server=latin1'])
    const admin = await createConnection({ uri: server.url })
    await admin.query('set global sql_safe_updates = 1, global completion_type = 1, global unique_checks = 0, global sql_select_limit = 3')
    await admin.query('set global transaction isolation level read uncommitted')
    await admin.end()
  }, 120_000)
  afterAll(() => server?.dispose())

  it('overrides harmful MySQL server defaults and URL options on its own connections', async () => {
    const url = new URL(server.url)
    const asked = { charset: 'latin1', typeCast: 'false', rowsAsArray: 'true', nestTables: '"_"', namedPlaceholders: 'true' }
    for (const [option, value] of Object.entries(asked)) url.searchParams.set(option, value)
    const store = mysqlStore({ url: url.href })
    try {
      await proveUnchanged(store)
    } finally {
      await store.close()
    }
  })

  it("refuses a host's MySQL pool that inherits harmful server defaults", async () => {
    const pool = createPool({ uri: server.url })
    try {
      expect(await refusalOf(mysqlStore({ pool }))).toContain('STRICT_TRANS_TABLES')
    } finally {
      await pool.promise().end()
    }
  })

  it("refuses a host's MySQL pool whose resets restore harmful server defaults", async () => {
    const pool = createPool({ uri: server.url, connectionLimit: 1, resetOnRelease: true } as PoolOptions)
    pool.on('connection', (connection) => {
      for (const statement of SET_SESSION) connection.query(statement)
    })
    try {
      expect(await refusalOf(mysqlStore({ pool }))).toContain('STRICT_TRANS_TABLES')
    } finally {
      await pool.promise().end()
    }
  })
})
