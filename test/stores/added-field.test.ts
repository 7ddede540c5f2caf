import { memoryStore } from 'latchkey/stores/memory'
import { migrationSql, mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import type { StoredToken } from '../../src/model/record.js'
import type { TokenStore } from '../../src/store/port.js'
import { service } from '../support/services.js'
import { ownDatabase, ownFolder, ownSchema } from './sql/databases.js'
import { event, token } from './sql/samples.js'

// The field table of a later release: three more fields, added in schema version 2.
vi.mock('../../src/model/fields.js', async (original) => {
  const model = await original<typeof import('../../src/model/fields.js')>()
  const added = {
    note: { kind: 'text', since: 2, description: 'A note.' },
    quietUntil: { kind: 'instant', since: 2, description: 'When its notices resume.' },
    labels: { kind: 'json', since: 2, description: 'Labels.' },
  } as const
  return { ...model, FIELDS: { ...model.FIELDS, ...added }, FIELD_ROWS: [...model.FIELD_ROWS, ...Object.entries(added)] }
})

const ADDED = { note: 'ünder 😀', quietUntil: 1_700_000_000_123, labels: { a: ['ü', 1, null] } }
const withAdded = (old: StoredToken): StoredToken => ({ ...old, ...ADDED })

/** A token written by the previous release. */
const OLD = token({ createdBy: 'alice' })
const insertOld = `insert into latchkey_tokens (id, version, prefix, digest, name, name_folded, scopes, created_at, created_by, updated_at)
  values ('${OLD.id}', 1, 'acme', '${OLD.digest}', '${OLD.name}', '${OLD.name.toLowerCase()}', '["inventory:read"]', ${OLD.createdAt}, 'alice', ${OLD.updatedAt})`

type Place = { open(): TokenStore; query(text: string): Promise<readonly Record<string, unknown>[]>; remove(): Promise<void> }

const postgres = await service('postgres')
const mysql = await service('mysql')

async function sqlitePlace(): Promise<Place> {
  const folder = await ownFolder()
  const Driver = await findDriver('libsql')
  const database = new Driver(folder.path('tokens.db'))
  return {
    open: () => sqliteStore({ path: folder.path('tokens.db'), driver: 'libsql' }),
    async query(text) {
      if (/^\s*select/.test(text)) return database.prepare(text).all([] as never) as Record<string, unknown>[]
      database.exec(text)
      return []
    },
    async remove() {
      database.close()
      await folder.remove()
    },
  }
}

const SUBJECTS = [
  { dialect: 'sqlite', skip: undefined, place: sqlitePlace },
  {
    dialect: 'postgres',
    skip: postgres.skip,
    async place(): Promise<Place> {
      const { query, remove, schema, url } = await ownSchema(postgres.url ?? '')
      return { query, remove, open: () => postgresStore({ url, schema, poolSize: 2 }) }
    },
  },
  {
    dialect: 'mysql',
    skip: mysql.skip,
    async place(): Promise<Place> {
      const { query, remove, url } = await ownDatabase(mysql.url ?? '')
      return { query, remove, open: () => mysqlStore({ url, poolSize: 2 }) }
    },
  },
] as const

for (const { dialect, skip, place } of SUBJECTS) {
  describe.skipIf(skip !== undefined)(`a field added to the field table, on ${dialect} ${skip ?? ''}`, () => {
    let at: Place
    let store: TokenStore
    beforeEach(async () => {
      at = await place()
      const [versionOne = ''] = (await migrationSql(dialect)).split(/^-- 2:/m)
      for (const statement of versionOne.split(/;\n\n/)) if (statement.trim() !== '') await at.query(statement)
      await at.query(insertOld)
      store = at.open()
      await store.migrate?.()
    })
    afterEach(async () => {
      await store?.close?.()
      await at?.remove()
    })

    it('adds a column for a new field to existing tokens during migration', async () => {
      expect((await at.query('select version from latchkey_migrations order by version')).map(({ version }) => Number(version))).toEqual([
        1, 2,
      ])
      expect(await store.find([OLD.id])).toEqual([OLD])
      const cells = await at.query('select note, quiet_until, labels from latchkey_tokens')
      expect(cells.map((row) => ({ ...row }))).toEqual([{ note: null, quiet_until: null, labels: null }])
    })

    it('stores an added field on insert and update, and returns it from find and list', async () => {
      const made = withAdded(token())
      const updated = { ...withAdded(OLD), version: 2 }
      expect(await store.commit({ inserts: [made], updates: [{ expectedVersion: 1, record: updated }], events: [event()] })).toEqual({
        ok: true,
      })
      expect(await store.find([made.id])).toEqual([made])
      expect(await store.find([OLD.id])).toEqual([updated])
      expect(await store.list({ prefix: 'acme', now: 0, limit: 10 })).toEqual([made, updated])
      const bare = { ...OLD, version: 3 }
      await store.commit({ updates: [{ expectedVersion: 2, record: bare }], events: [event()] })
      expect(await store.find([OLD.id])).toEqual([bare])
    })

    // SQLite adds the column and records the migration in one transaction.
    if (dialect === 'sqlite') return

    it('records the migration if an earlier process died right after adding the column', async () => {
      await at.query('delete from latchkey_migrations where version = 2')
      const next = at.open()
      await next.migrate?.()
      expect(await at.query('select version from latchkey_migrations where version = 2')).toHaveLength(1)
      await next.close?.()
    })
  })
}

it('a store that keeps whole records keeps a field added to the field table', async () => {
  const store = memoryStore()
  const made = withAdded(token())
  await store.commit({ inserts: [made], events: [event()] })
  expect(await store.find([made.id])).toEqual([made])
})
