import { CamelCasePlugin, Kysely, SqliteDialect } from 'kysely'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { storeContract } from 'latchkey/testing'
import Database from 'libsql'
import { describe, expect, it } from 'vitest'
import { ownFolder, TRIM } from './sql/databases.js'
import { fileDialect } from './sql/kysely-sqlite.js'
import { event, token } from './sql/samples.js'

// The host's own Kysely instance, with a plugin that would rename latchkey's columns if it could.
storeContract(
  { describe, it },
  {
    name: "sqlite in the host's Kysely",
    operations: 300,
    async create() {
      const folder = await ownFolder()
      const database = new Database(folder.path('tokens.db'))
      database.exec('pragma journal_mode = wal')
      const kysely = new Kysely<Record<string, never>>({ dialect: fileDialect(database), plugins: [new CamelCasePlugin()] })
      const open = () => sqliteStore({ database: kysely })
      return {
        store: open(),
        second: open(),
        reopen: open,
        trimFeed() {
          for (const statement of TRIM) database.exec(statement)
        },
        beginTransaction() {
          database.exec('begin immediate')
          return { transaction: database, commit: () => database.exec('commit'), rollback: () => database.exec('rollback') }
        },
        async dispose() {
          await kysely.destroy()
          await folder.remove()
        },
      }
    },
  },
)

describe('a Kysely instance over libsql', () => {
  const over = (path: string) => new Kysely<Record<string, never>>({ dialect: new SqliteDialect({ database: new Database(path) }) })

  it('refuses a Kysely instance over libsql on a file, because it may read stale data forever after a lock', async () => {
    const folder = await ownFolder()
    const kysely = over(folder.path('tokens.db'))
    await expect(async () => sqliteStore({ database: kysely }).migrate()).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/over libsql .* pass the store the libsql database itself, or its path/),
    })
    await kysely.destroy()
    await folder.remove()
  })

  it('accepts a Kysely instance over libsql in memory, which no other process can lock', async () => {
    const kysely = over(':memory:')
    const store = sqliteStore({ database: kysely })
    await store.migrate()
    expect(await store.commit({ inserts: [token()], events: [event()] })).toEqual({ ok: true })
    await kysely.destroy()
  })
})

describe('a SQLite database that the host has open', () => {
  it("leaves the host's SQLite database open, with its own settings", async () => {
    const database = new Database(':memory:')
    const before = database.pragma('synchronous')
    const store = sqliteStore({ database })
    await store.migrate?.()
    await store.commit({ inserts: [token()], events: [event()] })
    await store.close?.()
    expect(database.prepare('select count(*) as n from latchkey_tokens').all([])).toEqual([{ n: 1 }])
    expect(database.pragma('synchronous')).toEqual(before)
    database.close()
  })

  it("waits for the host's open SQLite transaction to end, and does not affect it", async () => {
    const database = new Database(':memory:')
    const store = sqliteStore({ database })
    await store.migrate?.()
    database.exec('create table stock (n integer)')
    database.exec('begin')
    database.exec('insert into stock values (1)')
    const waiting = store.commit({ inserts: [token()], events: [event()] })
    await new Promise((resolve) => setTimeout(resolve, 5))
    database.exec('rollback')
    expect(await waiting).toEqual({ ok: true })
    expect(database.prepare('select count(*) as n from stock').all([])).toEqual([{ n: 0 }])
    database.close()
  })

  it('keeps two stores with different table prefixes apart in one SQLite database', async () => {
    const database = new Database(':memory:')
    const [first, second] = [sqliteStore({ database, tablePrefix: 'a_' }), sqliteStore({ database, tablePrefix: 'b_' })]
    await first.migrate?.()
    await second.migrate?.()
    const known = token()
    await first.commit({ inserts: [known], events: [event()] })
    expect(await first.find([known.id])).toEqual([known])
    expect(await second.find([known.id])).toEqual([])
    database.close()
  })
})

describe('the search by name on SQLite', () => {
  it('finds the same names with and without the SQLite index, whatever characters the names contain', async () => {
    const database = new Database(':memory:')
    const store = sqliteStore({ database })
    await store.migrate?.()
    const names = ['Warehouse "A"', "it's 100% *done*", 'a_b\\c', 'AND OR NOT NEAR(x)', 'näher', 'NÄHER', '👩‍🚀 rocket', 'abc', 'ABCDEF']
    const inserts = names.map((name) => token({ name }))
    await store.commit({ inserts, events: [event()] })
    const [first] = inserts
    if (first !== undefined) {
      await store.commit({ updates: [{ expectedVersion: 1, record: { ...first, version: 2, name: 'Renamed' } }], events: [event()] })
      names[0] = 'Renamed'
    }
    const find = async (nameContains: string): Promise<readonly string[]> =>
      (await store.list({ prefix: 'acme', now: 0, limit: 50, nameContains })).map(({ name }) => name).sort()
    const fold = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
    const texts = [
      'rename',
      'ware',
      '"a"',
      '100%',
      '*done*',
      '_b\\',
      'and or',
      'near(',
      'näh',
      'NÄH',
      '👩‍🚀',
      'BCD',
      'b',
      'ab',
      "it's",
      '""',
      'x'.repeat(65_536),
    ]
    for (const text of texts) {
      expect(await find(text)).toEqual(names.filter((name) => fold(name).includes(fold(text))).sort())
    }
    database.exec('drop table latchkey_tokens_search')
    for (const name of ['insert', 'update', 'delete']) database.exec(`drop trigger latchkey_tokens_search_${name}`)
    for (const text of texts) {
      expect(await find(text)).toEqual(names.filter((name) => fold(name).includes(fold(text))).sort())
    }
    database.close()
  })
})

describe('the change feed of a SQL store', () => {
  it('trims a long SQL feed in small steps, and reports this to readers that are behind', async () => {
    const database = new Database(':memory:')
    const store = sqliteStore({ database })
    await store.migrate?.()
    const { cursor } = await store.changes(undefined, 10)
    await store.commit({ ownersChanged: [{ ownerId: 'an early one' }], events: [] })
    database.exec('update latchkey_feed set head = 102000')
    await store.commit({ ownersChanged: [{ ownerId: 'a late one' }], events: [] })
    expect(database.prepare('select head, floor from latchkey_feed').all([])).toEqual([{ head: 102_001, floor: 2_000 }])
    expect(database.prepare('select changed_id from latchkey_changes').all([])).toEqual([{ changed_id: 'a late one' }])
    expect(await store.changes(cursor, 10)).toMatchObject({ everything: true, cursor: '102001' })
    expect(await store.changes('2000', 10)).toMatchObject({ everything: false, owners: [{ ownerId: 'a late one' }] })
    expect(await store.changes('102002', 10)).toMatchObject({ everything: true })
    expect(await store.changes('nonsense', 10)).toMatchObject({ everything: true })
    database.close()
  })
})

describe('a list of several tenants', () => {
  it('lists several tenants together, newest first, however many there are and however often one is named', async () => {
    const database = new Database(':memory:')
    const store = sqliteStore({ database })
    await store.migrate?.()
    const inserts = Array.from({ length: 300 }, (_, index) => token({ tenantId: `t${index % 100}`, createdAt: 1_000 + (index % 7) }))
    await store.commit({ inserts, events: [event()] })
    const newest = [...inserts].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
    for (const count of [2, 5, 64, 65, 100]) {
      const tenantIds = Array.from({ length: count }, (_, index) => `t${index}`)
      const wanted = newest.filter(({ tenantId }) => tenantIds.includes(tenantId ?? '')).map(({ id }) => id)
      const seen: string[] = []
      for (let page = await store.list({ prefix: 'acme', tenantIds: [...tenantIds, 't0', 'none'], now: 0, limit: 40 }); page.length > 0; ) {
        seen.push(...page.map(({ id }) => id))
        const last = page[page.length - 1]
        if (last === undefined) break
        page = await store.list({ prefix: 'acme', tenantIds: [...tenantIds, 't0', 'none'], now: 0, limit: 40, after: last })
      }
      expect(seen).toEqual(wanted)
    }
    database.close()
  })
})
