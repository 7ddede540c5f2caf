import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { latchkey } from 'latchkey'
import { sha256Tokens } from 'latchkey/import'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { show } from '../../src/cli/commands/doctor.js'
import { healthChecks } from '../../src/cli/lib/checks.js'
import { ownDatabase, ownSchema } from '../stores/sql/databases.js'
import { newKeyPrefix } from '../support/redis.js'
import { createRedisServer, redisServerMissing } from '../support/redis-server.js'
import { service } from '../support/services.js'
import { createSqlServer, sqlServerMissing } from '../support/sql-server.js'
import { openShell, type Shell } from './support.js'

const [postgres, mysql] = await Promise.all([service('postgres'), service('mysql')])

// Each case starts processes, some of which are servers.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.close())

type Check = { readonly name: string; readonly ok?: boolean; readonly detail: string; readonly advice?: string }

type Examined = { readonly code: number | null; readonly file: string; readonly stdout: string; check(name: string): Check | undefined }

/** Runs doctor on a store. */
async function examine(name: string, store: string, more = ''): Promise<Examined> {
  const kind = name.split('-')[0]
  const packages = ['pg', 'mysql2'].map((each) =>
    pathToFileURL(join(process.cwd(), 'node_modules', each, each === 'pg' ? 'lib/index.js' : 'promise.js')),
  )
  const file = shell.write(
    `${name}.config.mjs`,
    `import { latchkey } from '$index'
import { ${kind}Store } from '$${kind}'
import pg from '${packages[0]}'
import mysql from '${packages[1]}'
const store = ${store}
export const tokens = latchkey({ prefix: 'acme_live', store, scopes: { 'inventory:read': 'See stock' }, logger: false, ${more} })`,
  )
  const { code, stdout, stderr } = await shell.run('doctor', '--json', '--config', file)
  expect(stdout, stderr).toContain('"checks"')
  const { checks, ok } = JSON.parse(stdout) as { readonly checks: readonly Check[]; readonly ok: boolean }
  expect(ok).toBe(code === 0)
  return { code, file, stdout, check: (wanted) => checks.find(({ name }) => name === wanted) }
}

describe.skipIf(postgres.skip)(`doctor on Postgres ${postgres.skip ?? ''}`, () => {
  it('doctor passes on a durable Postgres server and shows its time zone', async () => {
    const place = await ownSchema(postgres.url ?? '')
    try {
      const { check } = await examine('postgres-good', `postgresStore({ url: '${place.url}', schema: '${place.schema}' })`)
      expect(check('schema')).toMatchObject({ ok: true, detail: 'version 1' })
      expect(check('primary')).toMatchObject({ ok: true })
      expect(check('clock')).toMatchObject({ ok: true })
      expect(check('tls')).toMatchObject({ ok: true, detail: 'not encrypted, and stays on this machine' })
      expect(check('time_zone')?.detail).toContain('instants are stored as numbers')
      expect(check('wake-ups')?.ok).not.toBe(false)
    } finally {
      await place.remove()
    }
  })

  it('doctor fails on a Postgres database until synchronous_commit is on', async () => {
    const place = await ownSchema(postgres.url ?? '')
    const role = `${place.schema}_late`
    await place.query(`create role ${role} login superuser password 'word'`)
    await place.query(`alter role ${role} set synchronous_commit = off`)
    const url = new URL(place.url)
    url.username = role
    url.password = 'word'
    try {
      const store = `postgresStore({ url: '${url}', schema: '${place.schema}' })`
      const { code, check, stdout } = await examine('postgres-late', store)
      expect([code, check('durability')]).toEqual([
        1,
        expect.objectContaining({ ok: false, detail: expect.stringContaining('synchronous_commit is off') }),
      ])
      expect(stdout).not.toContain('word')
      await place.query(`alter role ${role} reset synchronous_commit`)
      expect((await examine('postgres-late', store)).check('durability')?.detail).not.toContain('synchronous_commit is off')
    } finally {
      await place.query(`drop owned by ${role}; drop role ${role}`)
      await place.remove()
    }
  })

  it('doctor fails on read-only Postgres connections, such as those to a replica', async () => {
    const place = await ownSchema(postgres.url ?? '')
    try {
      await examine('postgres-first', `postgresStore({ url: '${place.url}', schema: '${place.schema}' })`)
      const url = `${place.url}?options=${encodeURIComponent('-c default_transaction_read_only=on')}`
      const { code, check } = await examine('postgres-reads', `postgresStore({ url: '${url}', schema: '${place.schema}' })`)
      expect([code, check('store (postgres)')?.detail]).toEqual([3, expect.stringContaining('read-only')])
    } finally {
      await place.remove()
    }
  })

  it('doctor fails on a node whose clock is an hour off', async () => {
    const place = await ownSchema(postgres.url ?? '')
    try {
      const store = `postgresStore({ pool: new pg.Pool({ connectionString: '${place.url}' }), schema: '${place.schema}' })`
      const { code, check } = await examine('postgres-clock', store, 'clock: () => Date.now() + 3_600_000')
      expect([code, check('clock')]).toEqual([
        1,
        expect.objectContaining({ ok: false, detail: expect.stringMatching(/^this node is 3\d{3}\.\d s ahead of the store/) }),
      ])
    } finally {
      await place.remove()
    }
  })
})

describe.skipIf(sqlServerMissing('postgres'))('doctor on a dedicated Postgres server', () => {
  it('doctor fails on a Postgres server with fsync off', async () => {
    const server = await createSqlServer('postgres')
    const client = new Client({ connectionString: server.url })
    try {
      await client.connect()
      const { code, check } = await examine('postgres-fsync', `postgresStore({ url: '${server.url}' })`)
      expect([code, check('durability')]).toEqual([
        1,
        expect.objectContaining({ ok: false, detail: expect.stringContaining('fsync is off') }),
      ])
    } finally {
      await client.end()
      await server.dispose()
    }
  })
})

describe.skipIf(mysql.skip)(`doctor on MySQL ${mysql.skip ?? ''}`, () => {
  it('doctor shows the sql_mode of MySQL, fails if the mode is lenient, and names the setting to change', async () => {
    const place = await ownDatabase(mysql.url ?? '')
    try {
      const good = await examine('mysql-good', `mysqlStore({ url: '${place.url}' })`)
      expect(good.check('sql_mode')).toMatchObject({ ok: true, detail: expect.stringContaining('STRICT_TRANS_TABLES') })
      for (const name of ['schema', 'primary', 'clock', 'tls']) expect(good.check(name), name).toMatchObject({ ok: true })
      const lax = `(() => { const pool = mysql.createPool({ uri: '${place.url}', charset: 'utf8mb4' }); pool.pool.on('connection', (it) => it.query("set sql_mode = ''")); return mysqlStore({ pool }) })()`
      const { code, check } = await examine('mysql-lax', lax)
      expect([code, check('store (mysql)')]).toEqual([
        3,
        expect.objectContaining({ ok: false, detail: expect.stringContaining('add STRICT_TRANS_TABLES to sql_mode') }),
      ])
    } finally {
      await place.remove()
    }
  })
})

describe.skipIf(sqlServerMissing('mariadb'))('doctor on a dedicated MariaDB server', () => {
  it('doctor fails on a MariaDB server that is read-only or does not flush its log', async () => {
    const server = await createSqlServer('mariadb')
    try {
      const store = `mysqlStore({ url: '${server.url}' })`
      const first = await examine('mysql-own', store)
      expect(first.check('durability')).toMatchObject({ ok: false, detail: expect.stringContaining('innodb_flush_log_at_trx_commit is 0') })
      expect(first.check('primary')).toMatchObject({ ok: true })
      const place = await ownDatabase(server.url)
      await place.query('set global read_only = on')
      const { code, check } = await examine('mysql-own', store)
      expect([code, check('primary')]).toEqual([1, expect.objectContaining({ ok: false, advice: 'Connect to the primary.' })])
      await place.query('set global read_only = off')
      await place.remove()
    } finally {
      await server.dispose()
    }
  })
})

describe.skipIf(redisServerMissing())('doctor on Redis', () => {
  it('doctor passes on a durable Redis server, and names the setting to change if data may be lost', async () => {
    const server = await createRedisServer()
    await server.start()
    try {
      const store = `redisStore({ url: '${server.url}', keyPrefix: '${newKeyPrefix()}', onWarning() {} })`
      const good = await examine('redis-own', store)
      expect(good.code, good.stdout).toBe(0)
      for (const name of ['durability', 'eviction', 'primary', 'clock', 'tls']) expect(good.check(name), name).toMatchObject({ ok: true })

      await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru', 'appendfsync', 'everysec')
      const late = await examine('redis-own', store)
      expect(late.code).toBe(1)
      expect(late.check('eviction')).toMatchObject({ ok: false, advice: 'Set: maxmemory-policy noeviction.' })
      expect(late.check('durability')).toMatchObject({ ok: false, advice: 'Set: appendfsync always.' })

      await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'appendonly', 'no')
      const forgetful = await examine('redis-own', store)
      expect(forgetful.check('eviction')).toMatchObject({ ok: true })
      expect(forgetful.check('durability')).toMatchObject({ ok: false, detail: expect.stringContaining('appendonly is off') })
    } finally {
      await server.dispose()
    }
  })
})

describe('doctor on SQLite', () => {
  it('doctor fails on a SQLite handle with synchronous off and on a world-readable file', async () => {
    const handle = `sqliteStore({ database: (() => { const it = new Database('$folder/open.db'); it.exec('pragma journal_mode = wal'); it.exec('pragma synchronous = off'); return it })() })`
    const libsql = pathToFileURL(join(process.cwd(), 'node_modules/libsql/index.js'))
    const { code, check } = await examine(
      'sqlite-off',
      `await (async () => { const { default: Database } = await import('${libsql}'); return ${handle} })()`,
    )
    expect(code).toBe(1)
    expect(check('durability')).toMatchObject({ ok: false, detail: expect.stringContaining('synchronous off') })
    expect(check('file')).toMatchObject({ ok: false, advice: expect.stringContaining('chmod 600') })
  })

  it('doctor passes on a dedicated SQLite file and notes that all callers share one address', async () => {
    const { sub, key } = { sub: 'sqlite-fine', key: join(shell.folder, 'fine.db') }
    const store = sqliteStore(key)
    const pepper = '5XK0pYq7vT3mJ9cWb2LhRz8NfA6dGe1uSiOx4QkC'
    const tokens = latchkey({ prefix: 'acme_live', store, scopes: { 'inventory:read': 'See stock' }, pepper })
    for (let made = 0; made < 5; made += 1) {
      const { token } = await tokens.system.create({ name: `n${made}`, scopes: ['inventory:read'] })
      await tokens.verify(token, { ip: '10.0.0.5' })
    }
    await tokens.close()
    const { code, check } = await examine(sub, `sqliteStore('${key}')`, `pepper: '${pepper}'`)
    expect(code).toBe(0)
    for (const name of ['schema', 'durability', 'file']) expect(check(name), name).toMatchObject({ ok: true })
    expect(check('client addresses')).toMatchObject({
      detail: '5 tokens were all last used from 10.0.0.5, which looks like a proxy',
      advice: expect.stringContaining('trust it'),
    })
    expect(check('pepper')).toEqual({ name: 'pepper', ok: true, detail: 'set' })
    const other = await examine('sqlite-other', `sqliteStore('${key}')`, `pepper: '${[...pepper].reverse().join('')}'`)
    expect(other.code).toBe(1)
    expect(other.check('pepper')).toMatchObject({
      ok: false,
      detail: '5 of the 5 newest tokens are refused, because they were created with a pepper that is not configured',
    })
  })

  it('doctor reports tokens that a new pepper refuses, because they were created without one', async () => {
    const key = join(shell.folder, 'bare.db')
    const tokens = latchkey({ prefix: 'acme_live', store: sqliteStore(key), scopes: { 'inventory:read': 'See stock' } })
    await tokens.system.create({ name: 'n', scopes: ['inventory:read'] })
    await tokens.close()
    const pepper = "'5XK0pYq7vT3mJ9cWb2LhRz8NfA6dGe1uSiOx4QkC'"
    const alone = await examine('sqlite-bare', `sqliteStore('${key}')`, `pepper: ${pepper}`)
    expect(alone.check('pepper')).toMatchObject({
      ok: false,
      detail: expect.stringContaining('without a pepper'),
      advice: expect.stringContaining('false'),
    })
    const both = await examine('sqlite-both', `sqliteStore('${key}')`, `pepper: [${pepper}, false]`)
    expect(both.check('pepper')).not.toMatchObject({ ok: false })
  })
})

it.each([
  ['mailer:eu-1', 'If it no longer runs: npx latchkey forget-consumer mailer:eu-1'],
  ['mailer $(touch x)', 'If it no longer runs, pass its name to npx latchkey forget-consumer.'],
  ['--as', 'If it no longer runs, pass its name to npx latchkey forget-consumer.'],
  ["o'hara", 'If it no longer runs, pass its name to npx latchkey forget-consumer.'],
])('doctor shows a command that is safe to copy for the late consumer %s', (name, advice) => {
  const consumers = [{ name, lagSeconds: 100_000, failures: 0 }]
  const health = { store: { breaker: 'closed' }, feed: { ok: true }, consumers, damagedEvents: [], damagedTokens: [] }
  expect(healthChecks(health as never, true).at(-1)).toMatchObject({ name: `consumer ${name}`, advice })
})

it('doctor names the prefix if it finds no tokens, because the store may contain tokens with another prefix', async () => {
  const key = join(shell.folder, 'staging.db')
  const tokens = latchkey({ prefix: 'acme_test', store: sqliteStore(key), scopes: { 'inventory:read': 'See stock' } })
  await tokens.system.create({ name: 'staging', scopes: ['inventory:read'] })
  await tokens.close()
  const { check } = await examine('sqlite-prefix', `sqliteStore('${key}')`)
  expect(check('store (sqlite)')?.detail).toBe('responds; it contains no tokens with the prefix acme_live yet')
})

it('doctor shows the name of a consumer without control characters, including in its advice', async () => {
  const text: string[] = []
  const stdout = new PassThrough().on('data', (piece) => text.push(String(piece)))
  const name = 'consumer a\u001b]0;owned\u0007\u001b[2K\u001b[1A\u202eb'
  await show({ stdout } as never, [{ name, detail: '', advice: 'none' }])
  expect(text.join('')).toContain('\nconsumer a\\u{1b}]0;owned\\u{7}\\u{1b}[2K\\u{1b}[1A\\u{202e}b: none\n')
  expect(text.join('').replace(/[\n\x20-\x7e\u2500-\u257f]/g, '')).toBe('')
})

describe('doctor in memory', () => {
  it('doctor reports that data in memory is lost when the process ends', async () => {
    const { code, file, check } = await examine('memory-only', 'memoryStore()')
    const table = await shell.run('doctor', '--config', file)
    expect([table.code, table.stderr]).toEqual([1, expect.stringContaining('Some checks failed.')])
    expect(table.stdout).toMatch(/durability +│ FAILED │ data is lost when the process ends/)
    expect(table.stdout).toContain('\ndurability: Use a different store outside of tests.\n')
    expect([code, check('durability')]).toEqual([
      1,
      expect.objectContaining({ ok: false, advice: 'Use a different store outside of tests.' }),
    ])
  })

  it('doctor reports imported tokens that are refused because of a different key or a missing format', async () => {
    const key = join(shell.folder, 'imported.db')
    const format = "(await import('$import')).sha256Tokens({ prefix: 'sk_', length: 35 })"
    const importKey = '5XK0pYq7vT3mJ9cWb2LhRz8NfA6dGe1uSiOx4QkC'
    const tokens = latchkey({
      prefix: 'acme_live',
      store: sqliteStore(key),
      scopes: { 'inventory:read': 'See stock' },
      imports: { key: importKey, formats: [sha256Tokens({ prefix: 'sk_', length: 35 })] },
    })
    await tokens.system.import([{ hash: 'a'.repeat(64) }], { format: 'sha256', map: () => ({ name: 'Old', scopes: ['inventory:read'] }) })
    await tokens.close()
    const checkOf = async (name: string, imports: string): Promise<Check | undefined> =>
      (await examine(name, `sqliteStore('${key}')`, imports)).check('imports')
    expect(await checkOf('sqlite-same', `imports: { key: '${importKey}', formats: [${format}] }`)).toMatchObject({ ok: true })
    expect(await checkOf('sqlite-none', '')).toMatchObject({ ok: false, detail: expect.stringContaining('sha256') })
    const other = `imports: { key: '${[...importKey].reverse().join('')}', formats: [${format}] }`
    expect(await checkOf('sqlite-key', other)).toMatchObject({ ok: false, detail: expect.stringContaining('imports.key') })
  })
})
