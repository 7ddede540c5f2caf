import type { CompiledQuery } from 'kysely'
import { expect, it } from 'vitest'
import { sqlOf } from '../../adapters/stores/sql/context.js'
import { postgresQuirks } from '../../adapters/stores/sql/dialects/postgres-quirks.js'
import type { Engine } from '../../adapters/stores/sql/engine.js'
import { list } from '../../adapters/stores/sql/queries/list.js'
import type { ListQuery } from '../../src/store/port.js'
import { plansOf } from './sql/sqlite-plans.js'

const NOW = 1_000_000

/** Returns the steps of SQLite's plans for a list. */
const plansOfList = (query: Partial<ListQuery>): Promise<readonly string[]> =>
  plansOf((sql) => list(sql, { prefix: 'acme_live', now: NOW, limit: 10, ...query }))

it.each([
  ['alone', {}],
  ['in a tenant', { tenantIds: ['acme'] }],
  ['with a status', { statuses: ['active'] }],
  ['with text in the name', { nameContains: 'erp' }],
] as const)("finds tokens by the beginning of their ID through SQLite's index of IDs, %s", async (_what, more) => {
  const plans = await plansOfList({ idStartsWith: '4kQ0', ...more })
  expect(plans.filter((detail) => /tokens_newest|tokens_state|tokens_tenant/.test(detail))).toEqual([])
  expect(
    plans.some((detail) => /\(id>\? AND id<\?\)/.test(detail)),
    plans.join('\n'),
  ).toBe(true)
})

it.each([
  ['expired tokens', 'tokens_expiry', { statuses: ['expired'] }],
  ['tokens that expire in a window', 'tokens_expiry', { expiresFrom: NOW, expiresBefore: NOW + 1_000 }],
  ['tokens that became due for rotation in a window', 'tokens_rotation', { rotationDue: true, rotationDueFrom: NOW - 1_000 }],
] as const)('reads %s in SQLite through one index, with two sorts', async (_what, index, query) => {
  const plans = await plansOfList(query)
  const found = plans.slice(plans.findIndex((detail) => /CO-ROUTINE found/.test(detail)))
  expect(found.some((detail) => detail.includes(index))).toBe(true)
  expect(found.filter((detail) => /tokens_newest|tokens_state|tokens_tenant/.test(detail))).toEqual([])
  // One sort finds the page, and the other puts its whole rows in order.
  expect(found.filter((detail) => /TEMP B-TREE/.test(detail))).toHaveLength(2)
})

it('counts the expired tokens of a prefix at most once a minute in Postgres', async () => {
  let counts = 0
  const engine = {
    run({ sql }: CompiledQuery) {
      const isCount = /select count\(\*\).*expires_at/.test(sql)
      if (isCount) counts += 1
      return { rows: isCount ? [{ found: '3' }] : [] }
    },
  } as unknown as Engine
  const postgres = sqlOf(engine, postgresQuirks, { tablePrefix: 'latchkey_' })
  const expired = async (now: number, prefix = 'acme_live'): Promise<number> => {
    await list(postgres, { prefix, now, limit: 10, statuses: ['expired'] })
    return counts
  }
  expect([await expired(NOW), await expired(NOW + 30_000), await expired(NOW + 59_999)]).toEqual([1, 1, 1])
  expect(await expired(NOW + 90_000)).toBe(2)
  expect(await expired(NOW, 'acme_test')).toBe(3)
  // The clock was set back.
  expect(await expired(NOW)).toBe(4)
})
