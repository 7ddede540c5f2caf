import { createServer } from 'node:net'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { afterEach, expect, it } from 'vitest'
import { service } from '../support/services.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const messageOf = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_input' })
    return String(error)
  }
  throw new Error('it was accepted')
}

const STORES = [
  ['postgres', postgresStore],
  ['mysql', mysqlStore],
  ['redis', redisStore],
] as const

it.each(STORES)('an unescaped character in the password of a %s URL is explained without repeating the password', (scheme, store) => {
  const passwords = [
    'hun#ter2',
    'hun/ter2',
    'hun?ter2',
    'hun%ter2',
    'hun%zzter2',
    '12#ter2',
    '12/ter2',
    'hun@ter2#3',
    'hun@ter2/3',
    'hun@ter2?3',
  ]
  for (const password of passwords) {
    const message = messageOf(() => store({ url: `${scheme}://app:${password}@db.example/0` }))
    expect(message, password).toContain('write @ as %40, # as %23, / as %2F, ? as %3F and % as %25')
    expect(message).not.toMatch(/hun|ter2/)
  }
})

it.each(STORES)('a %s URL with escaped characters, or with @ in its query, is accepted', (scheme, store) => {
  expect(() => store({ url: `${scheme}://app:hun%23ter%402@db.example/0` })).not.toThrow()
  if (scheme !== 'redis') expect(() => store({ url: `${scheme}://db.example/app?user=me@db` })).not.toThrow()
})

it('an escaped login is required in the URL of a Redis socket', () => {
  expect(messageOf(() => redisStore({ url: 'unix://app:hun%zzter2@/run/redis.sock' }))).toContain('write @ as %40')
  expect(messageOf(() => redisStore({ url: 'unix:///run/%zz.sock' }))).toContain('or the path of a socket')
})

it.each(STORES)('the error for a %s URL names a port that is not a number', (scheme, store) => {
  for (const host of ['db.example:hunter2', 'db.example:99999', 'a:1,b:2', '[::1]:x']) {
    const message = messageOf(() => store({ url: `${scheme}://app@${host}/0` }))
    expect(message).toContain(`must have a port number after the host, as in ${scheme}://user:password@host:1234`)
    expect(message).not.toContain('hunter2')
  }
})

it.each([
  ['postgres', postgresStore, { ssl: true }, 'ssl: unknown field; to use TLS, add ?sslmode=verify-full to the URL'],
  ['postgres', postgresStore, { tls: {} }, 'tls: unknown field; to use TLS, add ?sslmode=verify-full to the URL'],
  ['postgres', postgresStore, { read: { url: 'postgres://a', ssl: true } }, 'read.ssl: unknown field; to use TLS, add'],
  ['postgres', postgresStore, { max: 20 }, 'max: unknown field; did you mean "poolSize"?'],
  ['postgres', postgresStore, { password: 'hunter2' }, 'password: unknown field; it is part of the URL: postgres://user:password@host'],
  ['mysql', mysqlStore, { ssl: {} }, 'ssl: unknown field; to use TLS, add ?ssl={"verifyIdentity":true} to the URL'],
  ['mysql', mysqlStore, { connectionLimit: 20 }, 'connectionLimit: unknown field; did you mean "poolSize"?'],
  ['mysql', mysqlStore, { schema: 'auth' }, 'schema: unknown field; it is part of the URL: mysql://user:password@host:3306/database'],
  ['redis', redisStore, { tls: {} }, 'tls: unknown field; to use TLS, begin the URL with rediss://'],
  ['redis', redisStore, { db: 2 }, 'db: unknown field; it is part of the URL: redis://user:password@host:6379/0'],
] as const)(
  'a driver setting passed to the %s store is refused with a message that shows what to write: %#',
  (scheme, store, setting, says) => {
    const message = messageOf(() => store({ url: `${scheme}://db.example/0`, ...setting } as never))
    expect(message).toContain(says)
    expect(message).not.toContain('hunter2')
  },
)

it('a driver setting passed alongside a pool is refused, and the message says where it belongs', () => {
  expect(messageOf(() => postgresStore({ pool: new Pool(), ssl: true } as never))).toContain(
    'ssl: unknown field; set it where you create the pool',
  )
  const pool = createPool({})
  cleanups.push(() => pool.end())
  expect(messageOf(() => mysqlStore({ pool, password: 'x' } as never))).toContain(
    'password: unknown field; set it where you create the pool',
  )
})

/** A port on which nothing listens. */
const unusedPort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })

it.each(STORES)('a wrong port in a %s URL is reported with the address that did not respond', async (scheme, store) => {
  const port = await unusedPort()
  const opened = store({ url: `${scheme}://app:hunter2@127.0.0.1:${port}/0` })
  cleanups.push(() => opened.close?.())
  const error = await Promise.resolve(opened.find(['x'])).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({
    code: 'store_unavailable',
    message: expect.stringMatching(/nothing (listens|responds) at (its|that) address/),
  })
  expect(String(Object(error).cause)).toContain(`127.0.0.1:${port}`)
  expect(`${error}${Object(error).cause}`).not.toContain('hunter2')
})

it.each(STORES)('an unknown host in a %s URL is reported as such', async (scheme, store) => {
  const opened = store({ url: `${scheme}://app:hunter2@no-such-host.invalid/0` })
  cleanups.push(() => opened.close?.())
  await expect(opened.find(['x'])).rejects.toThrow(/host name cannot be resolved/)
})

const postgres = await service('postgres')
it.skipIf(postgres.skip)(`a missing Postgres database and a missing schema have different errors ${postgres.skip ?? ''}`, async () => {
  const url = new URL(postgres.url ?? '')
  const withoutSchema = postgresStore({ url: url.href, schema: 'no_such_schema' })
  url.pathname = '/no_such_database'
  const withoutDatabase = postgresStore({ url: url.href })
  cleanups.push(
    () => withoutSchema.close(),
    () => withoutDatabase.close(),
  )
  await expect(withoutSchema.migrate()).rejects.toThrow('the schema does not exist: create it, or correct the schema option')
  await expect(withoutDatabase.migrate()).rejects.toThrow('the database does not exist: create it, or correct its name in the options')
})

const mysql = await service('mysql')
it.skipIf(mysql.skip)(`a missing MySQL database and a URL without a database have different errors ${mysql.skip ?? ''}`, async () => {
  const url = new URL(mysql.url ?? '')
  url.pathname = '/no_such_database'
  const missing = mysqlStore({ url: url.href })
  url.pathname = ''
  const unnamed = mysqlStore({ url: url.href })
  cleanups.push(
    () => missing.close(),
    () => unnamed.close(),
  )
  await expect(missing.migrate()).rejects.toThrow('the database does not exist: create it, or correct its name in the options')
  await expect(unnamed.migrate()).rejects.toThrow('no database is selected: add its name to the URL')
})
