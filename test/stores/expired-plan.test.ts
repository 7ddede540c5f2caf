import { createRequire } from 'node:module'
import { Kysely } from 'kysely'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { expect, it, onTestFinished } from 'vitest'
import type { ListQuery } from '../../src/store/port.js'
import { insert, token } from '../../src/testing/store-contract/build.js'
import { ownFolder } from './sql/databases.js'
import { fileDialect } from './sql/kysely-sqlite.js'

const NOW = 1_000_000

it('counts the expired tokens of a prefix at most once a minute, and lists each as soon as it has expired', async () => {
  const folder = await ownFolder()
  onTestFinished(() => folder.remove())
  const Database = createRequire(import.meta.url)('libsql')
  let counts = 0
  const kysely = new Kysely<Record<string, never>>({
    dialect: fileDialect(new Database(folder.path('tokens.db'))),
    log: ({ query }) => {
      if (/select count\(\*\).*expires_at/.test(query.sql)) counts += 1
    },
  })
  onTestFinished(() => kysely.destroy())
  const store = sqliteStore({ database: kysely })
  await store.migrate()
  for (const [id, expiresAt] of [
    ['a', NOW - 1],
    ['b', NOW + 30_000],
    ['c', NOW + 90_000],
  ] as const) {
    await insert(store, [token('acme_live', { id, createdAt: 1, expiresAt })])
  }
  const expired = async (now: number, prefix = 'acme_live'): Promise<readonly string[]> => {
    const query: ListQuery = { prefix, now, limit: 10, statuses: ['expired'] }
    return (await store.list(query)).map(({ id }) => id)
  }
  expect([await expired(NOW), await expired(NOW + 30_000), await expired(NOW + 59_999), counts]).toEqual([['a'], ['b', 'a'], ['b', 'a'], 1])
  expect([await expired(NOW + 90_000), counts]).toEqual([['c', 'b', 'a'], 2])
  expect([await expired(NOW, 'acme_test'), counts]).toEqual([[], 3])
  // The clock was set back.
  expect([await expired(NOW), counts]).toEqual([['a'], 4])
})
