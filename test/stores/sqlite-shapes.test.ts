import { CamelCasePlugin, Kysely, ParseJSONResultsPlugin } from 'kysely'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NodeDatabase, SyncDatabase } from '../../adapters/stores/sql/dialects/sqlite-handle.js'
import { findDriver, type SqliteDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { ownFolder } from './sql/databases.js'
import { fileDialect } from './sql/kysely-sqlite.js'
import { availableDrivers } from './sql/sqlite-drivers.js'
import { proveUnchanged, refusalOf } from './unchanged.js'

type Constructor = new (path: string, options?: object) => (SyncDatabase | NodeDatabase) & { defaultSafeIntegers?(on: boolean): unknown }

const drivers = new Map<SqliteDriver, Constructor>()
for (const name of await availableDrivers()) drivers.set(name, (await findDriver(name)) as Constructor)

const OPTIONS: { readonly [driver in SqliteDriver]: readonly object[] } = {
  'node:sqlite': [
    { readBigInts: true },
    { returnArrays: true },
    { readBigInts: true, returnArrays: true, allowBareNamedParameters: false, allowUnknownNamedParameters: true },
    { enableDoubleQuotedStringLiterals: true, enableForeignKeyConstraints: false, timeout: 10 },
  ],
  libsql: [{ timeout: 10 }],
  'better-sqlite3': [{ timeout: 10, verbose: () => {} }],
}

/** Settings that change how a database works, not what it contains. */
const PRAGMAS = [
  'encoding = "UTF-16le"',
  'case_sensitive_like = 1',
  'reverse_unordered_selects = 1',
  'recursive_triggers = 1',
  'foreign_keys = 1',
  'trusted_schema = 0',
  'secure_delete = 1',
  'journal_mode = delete',
  'journal_mode = memory',
  'locking_mode = exclusive',
  'temp_store = memory',
  'auto_vacuum = full',
]

describe.each([...drivers])('a %s database that the host created', (name, Driver) => {
  let folder: Awaited<ReturnType<typeof ownFolder>>
  const opened: { close(): unknown }[] = []

  beforeEach(async () => {
    folder = await ownFolder()
  })
  afterEach(async () => {
    for (const database of opened.splice(0)) database.close()
    await folder.remove()
  })

  const open = (options?: object): InstanceType<Constructor> => {
    const database = options === undefined ? new Driver(folder.path('app.db')) : new Driver(folder.path('app.db'), options)
    opened.push(database)
    return database
  }

  it.each(OPTIONS[name].map((options) => [Object.keys(options).join(', '), options] as const))(
    'leaves values unchanged with the SQLite options %s',
    async (_title, options) => {
      await proveUnchanged(sqliteStore({ database: open(options) }))
    },
  )

  it('leaves values unchanged if SQLite returns big integers by default', async () => {
    const database = open()
    database.defaultSafeIntegers?.(true)
    await proveUnchanged(sqliteStore({ database }))
  })

  it.each(PRAGMAS)('leaves values unchanged with pragma %s', async (pragma) => {
    const database = open()
    database.exec(`pragma ${pragma}`)
    await proveUnchanged(sqliteStore({ database }))
  })

  it.each([
    ['full_column_names = 1; pragma short_column_names = 0', 'short_column_names'],
    ['query_only = 1', 'read-only'],
  ])('refuses a SQLite database with pragma %s and names the cause', async (pragma, says) => {
    const database = open()
    await sqliteStore({ database }).migrate()
    database.exec(`pragma ${pragma}`)
    await expect(async () => sqliteStore({ database }).migrate()).rejects.toThrow(says)
  })

  it('refuses a SQLite database that cannot roll back and names the cause', async () => {
    const database = open()
    await sqliteStore({ database }).migrate()
    database.exec('pragma journal_mode = off')
    // Some drivers do not let their databases use this mode.
    const mode = JSON.stringify(database.prepare('pragma journal_mode').all([] as never))
    if (!mode.includes('"off"')) return
    expect(await refusalOf(sqliteStore({ database }))).toContain('journal_mode off')
  })

  it('refuses a SQLite database that was opened as read-only', async () => {
    const setUp = sqliteStore({ database: open() })
    await setUp.migrate()
    const database = open(name === 'node:sqlite' ? { readOnly: true } : { readonly: true })
    // libsql has no such option.
    if (name === 'libsql') database.exec('pragma query_only = 1')
    await expect(async () => sqliteStore({ database }).migrate()).rejects.toThrow('read-only')
  })

  it('leaves values unchanged with big integers and Kysely plugins on SQLite', async () => {
    const database = open()
    if (!('pragma' in database)) return
    database.defaultSafeIntegers?.(true)
    const plugins = [new CamelCasePlugin(), new ParseJSONResultsPlugin()]
    const kysely = new Kysely<Record<string, never>>({ dialect: fileDialect(database), plugins })
    await proveUnchanged(sqliteStore({ database: kysely }))
  })

  it('refuses a Kysely instance that changes the values returned by its SQLite driver', async () => {
    const database = open()
    if (!('pragma' in database)) return
    const parsing = {
      close: () => {},
      prepare(text: string) {
        const statement = database.prepare(text) as unknown as {
          reader: boolean
          all(parameters: unknown): object[]
          run(parameters: unknown): object
        }
        return {
          reader: statement.reader,
          run: (parameters: unknown) => statement.run(parameters),
          all: (parameters: unknown) =>
            statement
              .all(parameters)
              .map((row) =>
                JSON.parse(JSON.stringify(row), (_key, value) =>
                  typeof value === 'string' && /^[[{]/.test(value) ? JSON.parse(value) : value,
                ),
              ),
        }
      },
    }
    const kysely = new Kysely<Record<string, never>>({ dialect: fileDialect(parsing) })
    expect(await refusalOf(sqliteStore({ database: kysely }))).toContain('JSON text comes back as an object')
  })
})

it('the tested SQLite drivers include libsql, which the tests install', () => {
  expect([...drivers.keys()]).toContain('libsql')
})
