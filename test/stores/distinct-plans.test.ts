import type { CompiledQuery } from 'kysely'
import { mysqlStore } from 'latchkey/stores/mysql'
import { createPool } from 'mysql2/promise'
import { expect, it, onTestFinished } from 'vitest'
import { sqlOf } from '../../adapters/stores/sql/context.js'
import { mysqlQuirks } from '../../adapters/stores/sql/dialects/mysql-quirks.js'
import type { Engine } from '../../adapters/stores/sql/engine.js'
import { distinct } from '../../adapters/stores/sql/queries/distinct.js'
import type { DistinctQuery } from '../../src/store/port.js'
import { insert, token } from '../../src/testing/store-contract/build.js'
import { service } from '../support/services.js'
import { ownDatabase } from './sql/databases.js'
import { plansOf } from './sql/sqlite-plans.js'

const names = { tablePrefix: 'latchkey_' }
const QUERIES: readonly Omit<DistinctQuery, 'prefix' | 'limit'>[] = [
  { field: 'tenantId' },
  { field: 'ownerId', after: 'o' },
  { field: 'ownerId', tenantId: 't' },
]

it.each(QUERIES)('finds distinct values of %o in SQLite through a covering index, and never scans or sorts tokens', async (query) => {
  const plans = await plansOf((sql) => distinct(sql, { prefix: 'acme_live', limit: 10, ...query }))
  const ofTokens = plans.filter((detail) => / t\b/.test(detail))
  expect(ofTokens.length).toBeGreaterThanOrEqual(2)
  for (const detail of ofTokens)
    expect(detail).toMatch(/^SEARCH t USING COVERING INDEX latchkey_tokens_\w+ \(prefix=\? AND .*(tenant|owner)_id>\?\)$/)
})

const mysql = await service('mysql')

it.skipIf(mysql.skip)(`finds distinct values in MariaDB with one loose index scan per query and no sort ${mysql.skip ?? ''}`, async () => {
  const place = await ownDatabase(mysql.url ?? '')
  const store = mysqlStore({ url: place.url })
  const pool = createPool({ uri: place.url, connectionLimit: 1 })
  onTestFinished(async () => {
    await pool.end()
    await store.close?.()
    await place.remove()
  })
  await store.migrate?.()
  const of = (index: number) => ({ tenantId: index % 3 === 0 ? 't' : `t${index % 9}`, ownerId: `owner ${index % 7}` })
  await insert(
    store,
    Array.from({ length: 900 }, (_, index) => token('acme_live', of(index))),
  )
  await pool.query('analyze table latchkey_tokens')
  const plans: unknown[] = []
  const engine = {
    async run({ sql, parameters }: CompiledQuery) {
      const [rows] = await pool.query(`explain ${sql}`, [...parameters])
      plans.push(...(rows as { Extra: string }[]).map(({ Extra }) => Extra))
      return { rows: [] }
    },
  } as unknown as Engine
  for (const query of QUERIES) await distinct(sqlOf(engine, mysqlQuirks, names), { prefix: 'acme_live', limit: 10, ...query })
  expect(plans).toEqual(QUERIES.map(() => 'Using where; Using index for group-by'))
})
