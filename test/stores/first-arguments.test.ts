import { Redis } from 'ioredis'
import { Kysely, MysqlDialect, PostgresDialect, SqliteDialect } from 'kysely'
import { memoryStore } from 'latchkey/stores/memory'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import Database from 'libsql'
import { createPool } from 'mysql2'
import { createPool as createPromisePool } from 'mysql2/promise'
import { Client, Pool } from 'pg'
import { createClient } from 'redis'
import { afterAll, expect, it } from 'vitest'

const pool = new Pool()
const client = new Client()
const mysqlPool = createPool({})
const promisePool = createPromisePool({})
const database = new Database(':memory:')
const ioredis = new Redis({ lazyConnect: true })
const nodeRedis = createClient()
const onPostgres = new Kysely<object>({ dialect: new PostgresDialect({ pool }) })
const onMysql = new Kysely<object>({ dialect: new MysqlDialect({ pool: mysqlPool }) })
const onSqlite = new Kysely<object>({ dialect: new SqliteDialect({ database }) })

afterAll(async () => {
  ioredis.disconnect()
  database.close()
  await Promise.all([pool.end(), promisePool.end(), new Promise((done) => mysqlPool.end(done))])
})

/** Returns the message of the error that a call throws. The arguments may be any that JavaScript code can pass. */
function messageOf(store: unknown, ...args: readonly unknown[]): string {
  try {
    Reflect.apply(store as () => unknown, undefined, args)
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_input' })
    return (error as Error).message
  }
  throw new Error('the call was accepted')
}

const POSTGRES = 'postgres://ada:hunter2@localhost/app'
const MYSQL = 'mysql://ada:hunter2@localhost/app'
const REDIS = 'redis://ada:hunter2@localhost'

it.each([
  ['postgresStore', 'pool', postgresStore, pool, ['db', 'client', 'connection', 'conn', 'database', 'postgres', 'url', 'kysely']],
  ['postgresStore', 'pool', postgresStore, client, ['db', 'client', 'connection', 'conn']],
  ['postgresStore', 'kysely', postgresStore, onPostgres, ['db', 'client', 'connection', 'database', 'pool', 'url']],
  [
    'postgresStore',
    'url',
    postgresStore,
    POSTGRES,
    ['uri', 'connectionString', 'connection', 'db', 'databaseUrl', 'client', 'pool', 'kysely'],
  ],
  ['mysqlStore', 'pool', mysqlStore, mysqlPool, ['db', 'client', 'connection', 'mysql', 'url', 'kysely']],
  ['mysqlStore', 'pool', mysqlStore, promisePool, ['db', 'client', 'connection', 'mysql', 'url', 'kysely']],
  ['mysqlStore', 'kysely', mysqlStore, onMysql, ['db', 'client', 'database', 'pool', 'url']],
  ['mysqlStore', 'url', mysqlStore, MYSQL, ['uri', 'connectionString', 'connection', 'dsn', 'pool', 'kysely']],
  ['sqliteStore', 'database', sqliteStore, database, ['db', 'client', 'connection', 'file', 'filename', 'path', 'sqlite']],
  ['sqliteStore', 'database', sqliteStore, onSqlite, ['db', 'kysely', 'path']],
  [
    'sqliteStore',
    'path',
    sqliteStore,
    'tokens.db',
    ['file', 'filename', 'fileName', 'database', 'url', 'uri', 'location', 'connectionString'],
  ],
  ['sqliteStore', 'path', sqliteStore, 'file:tokens.db', ['url', 'uri', 'connection']],
  ['redisStore', 'client', redisStore, ioredis, ['redis', 'db', 'connection', 'ioredis', 'url', 'pool']],
  ['redisStore', 'client', redisStore, nodeRedis, ['redis', 'db', 'connection', 'cluster', 'url']],
  ['redisStore', 'url', redisStore, REDIS, ['uri', 'connectionString', 'connection', 'redis', 'redisUrl', 'client']],
])('%s suggests "%s" for a value passed under another name', (_name, meant, store, value, others) => {
  for (const other of others) {
    const message = messageOf(store, { [other]: value })
    expect(message).toMatch(new RegExp(`^${other}: .*did you mean "${meant}"\\?`))
    expect(message).not.toContain('hunter2')
  }
})

it.each([
  ['postgresStore', 'postgresStore({ pool: … })', postgresStore, pool],
  ['postgresStore', 'postgresStore({ kysely: … })', postgresStore, onPostgres],
  ['postgresStore', 'postgresStore({ url })', postgresStore, POSTGRES],
  ['postgresStore', 'postgresStore({ url: … })', postgresStore, new URL(POSTGRES)],
  ['mysqlStore', 'mysqlStore({ pool: … })', mysqlStore, mysqlPool],
  ['mysqlStore', 'mysqlStore({ pool: … })', mysqlStore, promisePool],
  ['mysqlStore', 'mysqlStore({ kysely: … })', mysqlStore, onMysql],
  ['mysqlStore', 'mysqlStore({ url })', mysqlStore, MYSQL],
  ['sqliteStore', 'sqliteStore({ database: … })', sqliteStore, database],
  ['sqliteStore', 'sqliteStore({ database: … })', sqliteStore, onSqlite],
  ['sqliteStore', 'sqliteStore({ path: … })', sqliteStore, new URL('file:///tokens.db')],
  ['redisStore', 'redisStore({ client: … })', redisStore, ioredis],
  ['redisStore', 'redisStore({ client: … })', redisStore, nodeRedis],
  ['redisStore', 'redisStore({ url })', redisStore, REDIS],
])('the error for %s with a bare handle or address suggests %s', (_name, says, store, value) => {
  const message = messageOf(store, value)
  expect(message).toContain(says)
  expect(message).not.toContain('hunter2')
})

it.each([
  ['a promise of the options', postgresStore, Promise.resolve({}), 'not a promise: await it'],
  ['a promise of a pool', postgresStore, { pool: Promise.resolve(pool) }, 'pool: must be a pg Pool, not a promise: await it'],
  ['a promise of a pool under another name', postgresStore, { db: Promise.resolve(pool) }, 'db: unknown field; did you mean "pool"?'],
  ['a promise of a client', redisStore, { client: Promise.resolve(nodeRedis) }, 'not a promise: await it'],
  ['a function that creates a pool', postgresStore, { pool: () => pool }, 'pool: must be a pg Pool, not a function: call it'],
  ['a client instead of a pool', postgresStore, { pool: client }, 'pool: must be a pg Pool, not a Client'],
  ['a URL object', postgresStore, { url: new URL(POSTGRES) }, 'url: must be text, not a URL object: pass its href'],
  ['a URL object under another name', redisStore, { uri: new URL(REDIS) }, 'uri: unknown field; did you mean "url"?'],
  ['the settings of a connection', postgresStore, { connection: { host: 'localhost' } }, 'connection: unknown field; did you mean "url"?'],
  ['the settings of a socket', redisStore, { socket: { host: 'localhost' } }, 'socket: unknown field; did you mean "url"?'],
  ['a SQLite store without a path', sqliteStore, undefined, "options: must be the path of a file, or an object: sqliteStore('tokens.db')"],
  ['a Postgres store without a URL', postgresStore, undefined, 'options: must be an object: postgresStore({ url })'],
  ['only another option', postgresStore, { tablePrefx: 'x_' }, 'tablePrefx: unknown field; did you mean "tablePrefix"?'],
  ['an unknown option alongside the pool', postgresStore, { pool, logger: new Map() }, 'logger: unknown field; use one of '],
])('the error for %s explains what to change', (_mistake, store, options, says) => {
  expect(messageOf(store, options)).toContain(says)
})

it('stores accept every kind of handle in valid options', async () => {
  const stores = [
    postgresStore({ pool, read: { pool } }),
    postgresStore({ kysely: onPostgres }),
    mysqlStore({ pool: mysqlPool }),
    mysqlStore({ pool: promisePool }),
    mysqlStore({ kysely: onMysql }),
    sqliteStore({ database }),
    sqliteStore({ database: onSqlite }),
    redisStore({ client: ioredis, keyPrefix: 'app://' }),
    redisStore({ client: nodeRedis }),
    memoryStore(),
  ]
  expect(stores.map(({ name }) => name)).toHaveLength(10)
})
