import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as ioredis from 'ioredis'
import { mysqlStore } from 'latchkey/stores/mysql'
import { migrationSql, postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import * as nodeRedis from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { redisFailure } from '../../adapters/stores/redis/failure.js'
import { type OpenedClient, openIoredis, openNodeRedis, readSocket } from '../../adapters/stores/redis/open.js'
import { TABLES } from '../../adapters/stores/sql/schema/schema.js'
import { InvalidInputError } from '../../src/errors.js'
import { createRedisServer, redisServerMissing } from '../support/redis-server.js'
import { service } from '../support/services.js'
import { createSqlServer, type SqlServer, sqlServerMissing } from '../support/sql-server.js'
import { ownDatabase, ownFolder, ownSchema } from './sql/databases.js'
import { event, token } from './sql/samples.js'
import { proveUnchanged } from './unchanged.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const SECRET = 's3cret-word'

/** The error for options that a store refuses. It must not repeat the secret. */
const refusal = (make: () => unknown): InvalidInputError => {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError)
    expect(String(error)).not.toContain(SECRET)
    return error as InvalidInputError
  }
  throw new Error('it was taken')
}

describe('a string where a store requires an object', () => {
  it.each([
    ['postgresStore', postgresStore, `postgres://me:${SECRET}@host/app`],
    ['mysqlStore', mysqlStore, `mysql://me:${SECRET}@host/app`],
    ['redisStore', redisStore, `redis://me:${SECRET}@host`],
  ] as const)('explains what to write if a string is passed to %s', (name, make, text) => {
    expect(refusal(() => make(text as never)).message).toContain(`${name}({ url })`)
  })

  it('refuses a server URL as the path of a SQLite file', () => {
    for (const text of [`postgres://me:${SECRET}@host/app`, `libsql://${SECRET}.turso.io`, `HTTPS://${SECRET}/x.db`]) {
      expect(refusal(() => sqliteStore(text)).message).toContain('not the URL of a server')
    }
  })
})

describe('connection strings', () => {
  const postgresUrls = [
    'postgres://user@/app?host=/run/postgresql',
    'postgresql:///app?host=/run/postgresql&user=me',
    `postgres://user:${SECRET}@/app?host=/run/postgresql&port=5433`,
    'postgres://%2Frun%2Fpostgresql/app',
    'postgres://user@host',
    'POSTGRES://user@host/app',
    'postgres://user@[::1]:5432/app?sslmode=verify-full',
    'postgres://user:a%20b%2Fc%40@host/a%20database',
    '/run/postgresql app',
    'socket:/run/postgresql?db=app&encoding=utf8',
    `socket://user:${SECRET}@/run/postgresql/?db=app`,
  ]
  it.each(postgresUrls)('accepts the pg connection string %s', (url) => {
    expect(() => postgresStore({ url })).not.toThrow()
  })

  it.each(['mysql://user@host/app', 'mariadb://host', 'mysql2://user@host/app', 'mysql://user@localhost/app?socketPath=/run/mysqld.sock'])(
    'accepts the mysql2 connection string %s',
    (url) => {
      expect(() => mysqlStore({ url })).not.toThrow()
    },
  )

  it.each([
    'redis://host',
    'redis://:pass@host:6380/2',
    'rediss://user:pass@host',
    'redis:///2',
    '/run/redis.sock',
    '/run/redis.sock?db=2',
    'unix:///run/redis.sock',
    'unix://user:a%40b@/run/redis.sock?db=3',
  ])('accepts the Redis connection string %s', (url) => {
    expect(() => redisStore({ url })).not.toThrow()
  })

  it.each([
    ['postgres', () => postgresStore({ url: `mysql://me:${SECRET}@a/b` })],
    ['postgres', () => postgresStore({ url: `host=/run user=me password=${SECRET}` })],
    ['postgres', () => postgresStore({ url: `postgres://me:${SECRET}%@host/app` })],
    ['postgres', () => postgresStore({ url: `postgres://me:${SECRET}@ho st:x/app` })],
    ['mysql', () => mysqlStore({ url: `postgres://me:${SECRET}@a/b` })],
    ['mysql', () => mysqlStore({ url: `mysql://me:${SECRET}@/b` })],
    ['redis', () => redisStore({ url: `http://me:${SECRET}@a` })],
    ['redis', () => redisStore({ url: `redis://me:${SECRET}%zz@a` })],
    ['redis', () => redisStore({ url: 'unix://' })],
  ])('refuses an unreadable connection string immediately, without repeating it (%s, %#)', (_store, make) => {
    expect(refusal(make).field).toBe('url')
  })

  it('reads the path, database and login from a Redis socket URL', () => {
    expect(readSocket('/run/a%20b.sock')).toEqual({ path: '/run/a b.sock' })
    expect(readSocket('unix://user:a%40b@/run/redis.sock?db=3')).toEqual({
      path: '/run/redis.sock',
      db: 3,
      username: 'user',
      password: 'a@b',
    })
    expect(readSocket('unix://:secret@/run/redis.sock')).toEqual({ path: '/run/redis.sock', password: 'secret' })
    for (const url of ['redis://host/2', '//host/2', 'unix:', '']) expect(readSocket(url)).toBeUndefined()
  })
})

const noPostgres = sqlServerMissing('postgres')
describe.skipIf(noPostgres)(`a Postgres server on a Unix socket ${noPostgres ?? ''}`, () => {
  let server: SqlServer
  beforeAll(async () => {
    server = await createSqlServer('postgres')
  }, 120_000)
  afterAll(() => server?.dispose())

  it('connects to a Postgres socket with every form of connection string that pg knows, including for wake-ups', async () => {
    const { folder, port } = server
    for (const url of [
      `postgres://postgres@/postgres?host=${folder}&port=${port}`,
      `postgresql:///postgres?host=${folder}&port=${port}&user=postgres`,
      `postgres://postgres@${encodeURIComponent(folder)}:${port}/postgres`,
    ]) {
      const store = postgresStore({ url })
      cleanups.push(() => store.close())
      await store.migrate()
      const wake = vi.fn()
      const stop = await store.subscribe?.(wake)
      await store.commit({ inserts: [token()], events: [event()] })
      await expect.poll(() => wake.mock.calls.length).toBeGreaterThan(1)
      await stop?.()
    }
  })
})

const mysql = await service('mysql')
describe.skipIf(mysql.skip)(`a MySQL server on a Unix socket ${mysql.skip ?? ''}`, () => {
  it('connects to a MySQL socket through the socketPath parameter', async () => {
    const place = await ownDatabase(mysql.url ?? '')
    cleanups.push(() => place.remove())
    const [row] = await place.query('select @@socket as path')
    const path = String(row?.path)
    // A remote server has its socket on that machine.
    const here = await stat(path).then(
      () => true,
      () => false,
    )
    if (!here) return
    const url = new URL(place.url)
    url.searchParams.set('socketPath', path)
    url.port = '1'
    const store = mysqlStore({ url: url.href })
    cleanups.push(() => store.close())
    await proveUnchanged(store)
  })
})

const running = await service('redis')
describe.skipIf(running.skip)(`the Redis database in a URL ${running.skip ?? ''}`, () => {
  const { host } = new URL(running.url ?? 'redis://127.0.0.1:6379')
  const clients = { ioredis: (url: string) => openIoredis(ioredis, url), 'node-redis': (url: string) => openNodeRedis(nodeRedis, url) }
  const opening = (open: Promise<OpenedClient>): Promise<string> =>
    open.then(
      ({ close }) => {
        close()
        return 'opened'
      },
      (error) => redisFailure(error).message,
    )

  it.each(Object.entries(clients))('refuses a Redis database that does not exist or is not a number: %s', async (_, open) => {
    for (const path of ['/99999', '?db=99999']) {
      expect(await opening(open(`redis://${host}${path}`))).toContain('the database in the URL does not exist on this server')
    }
    for (const path of ['/abc', '/-1', '/1.5', '/1?db=2', '?db=x', '/0/1']) {
      expect(await opening(open(`redis://${host}${path}`))).toContain('the database in the URL must be one number')
    }
  })

  it.each(Object.entries(clients))('uses the Redis database that the URL names: %s', async (_, open) => {
    for (const [path, db] of [
      ['', 'db=0 '],
      ['/', 'db=0 '],
      ['/1', 'db=1 '],
      ['?db=2', 'db=2 '],
    ]) {
      const { client, close } = await open(`redis://${host}${path}`)
      const { call, sendCommand } = client as { readonly [Name in 'call' | 'sendCommand']?: (...command: unknown[]) => Promise<unknown> }
      const info = call?.call(client, 'CLIENT', 'INFO') ?? sendCommand?.call(client, ['CLIENT', 'INFO'])
      expect(await info).toContain(db)
      close()
    }
  })
})

const noRedis = redisServerMissing()
describe.skipIf(noRedis)(`a Redis server on a Unix socket ${noRedis ?? ''}`, () => {
  it('connects to a Redis socket by its path with either client', async () => {
    const path = join(tmpdir(), `latchkey-${process.pid}-${Math.random().toString(36).slice(2)}.sock`)
    const server = await createRedisServer(['--unixsocket', path])
    cleanups.push(() => server.dispose())
    await server.start()
    for (const url of [path, `unix://${path}`, `${path}?db=2`]) {
      const store = redisStore({ url, onWarning: () => {} })
      cleanups.push(() => store.close?.())
      await proveUnchanged(store)
      const { client, close } = await openNodeRedis(nodeRedis, url)
      expect(await (client as unknown as { dbSize(): Promise<number> }).dbSize()).toBeGreaterThan(0)
      close()
    }
  })
})

describe('file: URLs of SQLite', () => {
  it('opens the SQLite file that a file: URL resolves to', async () => {
    const folder = await ownFolder()
    cleanups.push(() => folder.remove())
    const path = folder.path('the tokens.db')
    const known = token()
    const first = sqliteStore(path)
    await first.migrate()
    await first.commit({ inserts: [known], events: [event()] })
    await first.close()
    const relativePath = relative(process.cwd(), path)
    for (const url of [
      pathToFileURL(path).href,
      `file:${path}`,
      `file:${path.replace(' ', '%20')}`,
      `file:${relativePath}`,
      `FILE:./${relativePath}`,
      `file://localhost${path.replace(' ', '%20')}`,
    ]) {
      const store = sqliteStore({ path: url })
      cleanups.push(() => store.close())
      expect(await store.find([known.id])).toEqual([known])
    }
  })

  it('accepts the file: URL of an in-memory SQLite database', async () => {
    const store = sqliteStore('file::memory:')
    cleanups.push(() => store.close())
    await store.migrate()
    expect(await store.commit({ inserts: [token()], events: [event()] })).toEqual({ ok: true })
    await expect(stat('file::memory:')).rejects.toThrow()
    await expect(stat(':memory:')).rejects.toThrow()
  })

  it.each(['file:', 'file://elsewhere/tokens.db', 'file:tokens.db?mode=ro', 'file:tokens.db#x', 'file:%', 'file:a%00b'])(
    'refuses the invalid SQLite file: URL %s',
    (url) => {
      expect(refusal(() => sqliteStore(url)).field).toBe('path')
    },
  )
})

const postgres = await service('postgres')
describe.skipIf(postgres.skip)(`a Postgres schema with an unusual name ${postgres.skip ?? ''}`, () => {
  const long = 'ß'.repeat(31)

  it.each(['my-app', 'Tenant One', 'app.v2', '1st', "o'clock", 'naïve-東', long, '$latchkey', 'select'])(
    'keeps its tables in a Postgres schema with the unusual name %s',
    async (name) => {
      const place = await ownSchema(postgres.url ?? '')
      cleanups.push(() => place.remove())
      const schema = name === long ? name : `${name}-${place.schema.slice(-8)}`
      await place.query(`create schema "${schema}"`)
      cleanups.push(() => place.query(`drop schema "${schema}" cascade`))
      const open = () => {
        const store = postgresStore({ url: place.url, schema })
        cleanups.push(() => store.close())
        return store
      }
      const [store, other] = [open(), open()]
      const wake = vi.fn()
      const stop = await other.subscribe?.(wake)
      wake.mockClear()
      await proveUnchanged(store)
      await expect.poll(() => wake.mock.calls.length).toBeGreaterThan(0)
      await stop?.()
      const tables = await place.query(
        `select count(*)::int as n from information_schema.tables where table_schema = '${schema.replace("'", "''")}'`,
      )
      // One more table records the schema version.
      expect(tables).toEqual([{ n: TABLES.length + 1 }])
    },
  )

  it('works in a Postgres schema with an unusual name, set up by the printed SQL', async () => {
    const place = await ownSchema(postgres.url ?? '')
    cleanups.push(() => place.remove())
    const schema = `my-app-${place.schema.slice(-8)}`
    await place.query(`create schema "${schema}"`)
    cleanups.push(() => place.query(`drop schema "${schema}" cascade`))
    for (const statement of (await migrationSql('postgres', { schema })).split(/;\n\n/)) await place.query(statement)
    const store = postgresStore({ url: place.url, schema })
    cleanups.push(() => store.close())
    await proveUnchanged(store)
  })

  it.each(['', 'a"b', 'a\0b', 'a\nb', 'x'.repeat(64), 'ß'.repeat(32), '\ud800', 'a$latchkey$b', 7])(
    'refuses a Postgres schema name that SQL cannot represent: %o',
    (schema) => {
      expect(refusal(() => postgresStore({ url: 'postgres://a/b', schema: schema as never })).field).toBe('schema')
    },
  )
})
