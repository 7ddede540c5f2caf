import { chmod, copyFile, readFile, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { createConnection } from 'mysql2'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { judgeTransport, tellOnce } from '../../adapters/stores/lib/transport.js'
import { judgeUrl } from '../../adapters/stores/redis/open.js'
import { mysqlTransport } from '../../adapters/stores/sql/dialects/mysql-store.js'
import { postgresTransport } from '../../adapters/stores/sql/dialects/postgres-store.js'
import type { TokenStore } from '../../src/store/port.js'
import { createRedisServer, freePort, redisServerMissing } from '../support/redis-server.js'
import { createSqlServer, type SqlServer, sqlServerMissing } from '../support/sql-server.js'
import { type Certificates, makeCertificates, opensslMissing } from '../support/tls.js'
import { proveUnchanged } from './unchanged.js'

const noOpenssl = opensslMissing()
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

let certificates: Certificates
beforeAll(async () => {
  if (noOpenssl === undefined) certificates = await makeCertificates()
}, 120_000)
afterAll(() => certificates?.remove())

const closing = <T extends TokenStore>(store: T): T => {
  cleanups.push(() => store.close?.())
  return store
}

/** Copies a key to where only the server's user can read it. */
const install = async (folder: string, own: (path: string) => Promise<void>): Promise<{ readonly key: string; readonly cert: string }> => {
  const [key, cert] = [`${folder}/server.key`, `${folder}/server.pem`]
  await copyFile(certificates.key, key)
  await copyFile(certificates.cert, cert)
  await chmod(key, 0o600)
  for (const path of [key, cert]) await own(path)
  return { key, cert }
}

const noPostgres = noOpenssl ?? sqlServerMissing('postgres')

describe.skipIf(noPostgres)(`a Postgres server with TLS ${noPostgres ?? ''}`, () => {
  let server: SqlServer
  let base: string

  beforeAll(async () => {
    server = await createSqlServer('postgres', async (folder, own) => {
      const { key, cert } = await install(folder, own)
      const rules = ['host all postgres 127.0.0.1/32 trust', 'hostssl all all 127.0.0.1/32 trust', 'hostssl all all all trust']
      await writeFile(`${folder}/data/pg_hba.conf`, `${rules.join('\n')}\n`)
      return ['-c', 'ssl=on', '-c', `ssl_cert_file=${cert}`, '-c', `ssl_key_file=${key}`, '-c', 'listen_addresses=*']
    })
    base = server.url.replace('127.0.0.1', 'localhost')
  }, 120_000)
  afterAll(() => server?.dispose())

  const open = (query: string, user = 'postgres') => {
    const onWarning = vi.fn()
    return { store: closing(postgresStore({ url: `${base.replace('postgres@', `${user}@`)}?${query}`, onWarning })), onWarning }
  }

  it('connects to Postgres over verified TLS, including for wake-ups', async () => {
    const { store, onWarning } = open(`sslmode=verify-full&sslrootcert=${certificates.ca}`)
    await proveUnchanged(store)
    const wake = vi.fn()
    const stop = await store.subscribe?.(wake)
    await expect.poll(() => wake.mock.calls.length).toBeGreaterThan(0)
    await stop?.()
    expect(onWarning).not.toHaveBeenCalled()
  })

  it.each([
    ['from another authority', () => `sslmode=verify-full&sslrootcert=${certificates.otherCa}`],
    ['from an unknown authority', () => 'sslmode=verify-full'],
  ])('refuses a Postgres certificate %s, and names the certificate as the cause', async (_title, query) => {
    await expect(open(query()).store.migrate()).rejects.toThrow(/encrypted connection failed: check the server/)
  })

  it('refuses a Postgres server under a name that its certificate does not cover', async () => {
    const url = `${server.url}?sslmode=verify-full&sslrootcert=${certificates.ca}`
    await expect(closing(postgresStore({ url })).migrate()).rejects.toThrow(/encrypted connection failed/)
  })

  it('warns about a remote Postgres server whose certificate is not verified', async () => {
    const elsewhere = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === 'IPv4' && !each.internal)?.address
    // This machine has no network.
    if (elsewhere === undefined) return
    const onWarning = vi.fn()
    const url = `${server.url.replace('127.0.0.1', elsewhere)}?sslmode=no-verify`
    await closing(postgresStore({ url, onWarning })).migrate()
    expect(onWarning.mock.calls).toEqual([
      [{ code: 'LATCHKEY_DATABASE_UNVERIFIED', message: expect.stringContaining('certificate is not verified') }],
    ])
  })

  it.each([
    ['sslmode=verify-full&sslrootcert=', true],
    ['sslmode=no-verify&sslrootcert=', false],
    ['sslmode=verify-ca&uselibpqcompat=true&sslrootcert=', false],
    ['sslmode=require&uselibpqcompat=true&sslrootcert=', false],
    ['sslmode=prefer&uselibpqcompat=true&sslrootcert=', false],
  ])('detects whether pg verifies the certificate with %s, even if the certificate is valid', async (query, verified) => {
    const client = new Client({ connectionString: `${base}?${query}${certificates.ca}` })
    cleanups.push(() => client.end())
    await client.connect()
    expect(postgresTransport(client)).toMatchObject({ encrypted: true, verified })
  })

  it('distinguishes a Postgres server that requires TLS from a wrong password', async () => {
    await expect(open('', 'somebody').store.migrate()).rejects.toThrow(/encrypted connection failed.*TLS settings/)
  })
})

describe.skipIf(noPostgres)(`a Postgres server without TLS ${noPostgres ?? ''}`, () => {
  it('refuses a Postgres server without TLS if the connection string requires it', async () => {
    const server = await createSqlServer('postgres')
    cleanups.push(() => server.dispose())
    await expect(closing(postgresStore({ url: `${server.url}?sslmode=verify-full` })).migrate()).rejects.toThrow(
      /encrypted connection failed/,
    )
  }, 120_000)
})

const noMariadb = noOpenssl ?? sqlServerMissing('mariadb')

describe.skipIf(noMariadb)(`a MySQL server with TLS ${noMariadb ?? ''}`, () => {
  let server: SqlServer

  beforeAll(async () => {
    server = await createSqlServer('mariadb', async (folder, own) => {
      const { key, cert } = await install(folder, own)
      return [`--ssl-key=${key}`, `--ssl-cert=${cert}`]
    })
  }, 120_000)
  afterAll(() => server?.dispose())

  const open = (ssl?: object) => {
    const url = new URL(server.url)
    url.hostname = 'localhost'
    if (ssl !== undefined) url.searchParams.set('ssl', JSON.stringify(ssl))
    return closing(mysqlStore({ url: url.href }))
  }

  it('connects to MySQL over TLS and verifies the certificate and the host name', async () => {
    await proveUnchanged(open({ ca: await readFile(certificates.ca, 'utf8'), verifyIdentity: true }))
  })

  it('refuses an untrusted MySQL certificate, and names the certificate as the cause', async () => {
    const otherCa = await readFile(certificates.otherCa, 'utf8')
    for (const store of [open({}), open({ ca: otherCa })]) {
      await expect(store.migrate()).rejects.toThrow(/encrypted connection failed: check the server/)
    }
  })

  it.each([
    [{ verifyIdentity: true }, true],
    [{}, false],
    [{ verifyIdentity: true, rejectUnauthorized: false }, false],
  ])('detects whether mysql2 verifies the certificate with %o, even if the certificate is valid', async (options, verified) => {
    const ssl = { ca: await readFile(certificates.ca, 'utf8'), ...options }
    const connection = createConnection({ uri: server.url.replace('127.0.0.1', 'localhost'), ssl })
    cleanups.push(() => connection.destroy())
    await connection.promise().query('select 1')
    expect(mysqlTransport(connection)).toMatchObject({ encrypted: true, verified })
  })

  it('reports that MySQL may require TLS if the server refuses an unencrypted login', async () => {
    const ca = await readFile(certificates.ca, 'utf8')
    const admin = open({ ca })
    await admin.migrate()
    const { createConnection: connect } = await import('mysql2/promise')
    const connection = await connect({ uri: server.url, ssl: { ca } })
    await connection.query('set global require_secure_transport = on')
    cleanups.push(async () => {
      await connection.query('set global require_secure_transport = off')
      await connection.end()
    })
    await expect(open().migrate()).rejects.toThrow(/requires TLS|TLS settings/)
  })
})

const noRedis = noOpenssl ?? redisServerMissing()

describe.skipIf(noRedis)(`a Redis server with TLS ${noRedis ?? ''}`, () => {
  it('refuses an untrusted Redis certificate, and names the certificate as the cause', async () => {
    const port = await freePort()
    const files = ['--tls-cert-file', certificates.cert, '--tls-key-file', certificates.key, '--tls-ca-cert-file', certificates.ca]
    const server = await createRedisServer(['--tls-port', `${port}`, ...files, '--tls-auth-clients', 'no'])
    cleanups.push(() => server.dispose())
    await server.start()
    await expect(closing(redisStore({ url: `rediss://localhost:${port}` })).migrate?.()).rejects.toThrow(/encrypted connection failed/)
    // Without TLS, the server closes the connection.
    await expect(closing(redisStore({ url: `redis://localhost:${port}` })).migrate?.()).rejects.toThrow(/^redis: /)
  })
})

describe('the transport to a database', () => {
  const plain = { encrypted: false, verified: false }

  it.each([
    ['on this machine', { address: '127.0.0.1', ...plain }],
    ['on this machine over IPv6', { address: '::1', ...plain }],
    ['on this machine through a dual-stack socket', { address: '::ffff:127.0.0.53', ...plain }],
    ['on a local socket', { address: undefined, ...plain }],
    ['on a private network', { address: '10.1.2.3', ...plain }],
    ['on a container network', { address: '::ffff:172.18.0.2', ...plain }],
    ['on a private IPv6 network', { address: 'fd00::7', ...plain }],
    ['on a link-local address', { address: 'fe80::1%eth0', ...plain }],
    ['over verified TLS', { address: '203.0.113.7', encrypted: true, verified: true }],
  ])('does not warn about a database %s', (_title, transport) => {
    expect(judgeTransport('postgres', transport)).toBeUndefined()
  })

  it.each([
    ['LATCHKEY_DATABASE_PLAIN', { address: '203.0.113.7', ...plain }],
    ['LATCHKEY_DATABASE_PLAIN', { address: '::ffff:203.0.113.7', ...plain }],
    ['LATCHKEY_DATABASE_PLAIN', { address: '2001:db8::1', ...plain }],
    ['LATCHKEY_DATABASE_UNVERIFIED', { address: '203.0.113.7', encrypted: true, verified: false }],
    ['LATCHKEY_DATABASE_UNVERIFIED', { address: '10.1.2.3', encrypted: true, verified: false }],
  ] as const)('warns once with %s about the database connection %o', (code, transport) => {
    const warn = vi.fn()
    const tell = tellOnce('postgres', warn)
    for (let times = 0; times < 3; times += 1) tell(transport)
    expect(warn.mock.calls).toEqual([[{ code, message: expect.stringMatching(/^postgres store: /) }]])
  })

  it('determines from the URL whether the connection to Redis is encrypted', async () => {
    expect(await judgeUrl('redis://user:s3cret-word@203.0.113.7:6379/0')).toMatchObject({ code: 'LATCHKEY_DATABASE_PLAIN' })
    expect(await judgeUrl('redis://[2001:db8::1]:6379')).toMatchObject({ code: 'LATCHKEY_DATABASE_PLAIN' })
    for (const url of ['rediss://203.0.113.7', 'redis://localhost', 'redis://[::1]:1', 'redis://no-such-host.invalid', '/tmp/redis.sock']) {
      expect(await judgeUrl(url)).toBeUndefined()
    }
  })

  it('a store requires onWarning to be a function', () => {
    for (const store of [postgresStore, mysqlStore]) {
      expect(() => store({ url: 'postgres://a/b', onWarning: 'log' } as never)).toThrow(/onWarning|url/)
    }
  })
})
