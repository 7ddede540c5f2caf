import { createRequire } from 'node:module'
import { type CompiledQuery, Kysely } from 'kysely'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { StoredToken, TokenStatus } from '../../src/model/record.js'
import type { ListQuery, TokenStore } from '../../src/store/port.js'
import { everyStore } from '../support/every-store.js'
import { storedToken } from '../support/records.js'
import { ownFolder } from './sql/databases.js'
import { fileDialect } from './sql/kysely-sqlite.js'

const NOW = 1_800_000_000_000
/** More than the first two statements of a list examine together. */
const TOKENS = 3_000
/** One token in this many matches the filters that few tokens match. */
const RARE = 700

/** Most tokens are live and will expire. Groups of three were created at the same instant. */
function tokenAt(at: number): StoredToken {
  const rare = at % RARE === 0
  return storedToken({
    id: `${'zAb0'[at % 4]}${String(at).padStart(15, '0')}`,
    createdAt: NOW - 1_000_000 + Math.floor(at / 3),
    createdBy: at % 2 === 0 ? 'bea' : 'cyd',
    tenantId: at % 5 === 0 ? 'globex' : 'acme',
    ownerId: at % 3 === 0 ? 'olga' : 'otto',
    name: rare ? 'Till' : 'Warehouse',
    ...(rare ? { importedFrom: 'old' } : { expiresAt: NOW + (at < 2_000 ? 1 : -1) }),
    ...(at % RARE === 1 && { deactivatedAt: NOW - 5, deactivatedBy: 'bea' }),
  })
}

async function fill(store: TokenStore, count: number): Promise<readonly StoredToken[]> {
  await store.migrate?.()
  const tokens = Array.from({ length: count }, (_, at) => tokenAt(at))
  for (let from = 0; from < count; from += 500) await store.commit({ inserts: tokens.slice(from, from + 500), events: [] })
  // Compared as the stores compare them: by code units.
  return tokens.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
}

const statusOf = ({ deactivatedAt, expiresAt = Number.POSITIVE_INFINITY }: StoredToken): TokenStatus =>
  deactivatedAt === undefined ? (expiresAt > NOW ? 'active' : 'expired') : 'inactive'

/** More tenants than a statement reads one by one. Only one of them has tokens. */
const MANY = [...Array.from({ length: 70 }, (_, index) => `tenant ${index}`), 'globex']

const QUERIES: readonly (readonly [string, Partial<ListQuery>, (token: StoredToken) => boolean])[] = [
  ['imported tokens', { imported: true }, ({ importedFrom }) => importedFrom !== undefined],
  ['tokens that never expire', { neverExpires: true }, ({ expiresAt }) => expiresAt === undefined],
  ['inactive or revoked tokens', { statuses: ['inactive', 'revoked'] }, (token) => statusOf(token) === 'inactive'],
  [
    'active tokens of a tenant',
    { statuses: ['active'], tenantIds: ['globex'] },
    (token) => statusOf(token) === 'active' && token.tenantId === 'globex',
  ],
  ['imported tokens of two tenants', { imported: true, tenantIds: ['globex', 'acme'] }, ({ importedFrom }) => importedFrom !== undefined],
  [
    'imported tokens of an owner',
    { imported: true, ownerId: 'olga' },
    (token) => token.importedFrom !== undefined && token.ownerId === 'olga',
  ],
  [
    'imported tokens of an owner in a tenant',
    { imported: true, ownerId: 'olga', tenantIds: ['acme'] },
    (token) => token.importedFrom !== undefined && token.ownerId === 'olga' && token.tenantId === 'acme',
  ],
  [
    'imported tokens of a creator',
    { imported: true, createdBy: 'bea' },
    (token) => token.importedFrom !== undefined && token.createdBy === 'bea',
  ],
  ['imported tokens that expire', { imported: true, expiresBefore: NOW }, () => false],
  ['a rare name', { nameContains: 'TI' }, ({ name }) => name === 'Till'],
  [
    'tokens of a creator in a tenant',
    { createdBy: 'bea', tenantIds: ['globex'] },
    (token) => token.createdBy === 'bea' && token.tenantId === 'globex',
  ],
  ['tokens of many tenants', { tenantIds: MANY }, ({ tenantId }) => tenantId === 'globex'],
  [
    'imported tokens of many tenants',
    { tenantIds: [...MANY, 'acme', ...MANY], imported: true },
    ({ importedFrom }) => importedFrom !== undefined,
  ],
  [
    'tokens of an owner in many tenants that expire soon',
    { tenantIds: MANY, ownerId: 'olga', expiresFrom: NOW, expiresBefore: NOW + 2 },
    (token) => token.tenantId === 'globex' && token.ownerId === 'olga' && (token.expiresAt ?? 0) > NOW,
  ],
  [
    'expired tokens of a tenant',
    { statuses: ['expired'], tenantIds: ['acme'] },
    (token) => statusOf(token) === 'expired' && token.tenantId === 'acme',
  ],
  [
    'inactive tokens of an owner',
    { statuses: ['inactive'], ownerId: 'otto' },
    (token) => statusOf(token) === 'inactive' && token.ownerId === 'otto',
  ],
  ['tokens of no tenant', { imported: true, tenantIds: [] }, () => false],
]

describe.each(await everyStore())('lists with filters that few tokens match, on $kind', ({ skip, place }) => {
  it.skipIf(skip)('contain every token that matches, once and in order, across statements and pages', { timeout: 120_000 }, async () => {
    const open = await place()
    const store = open()
    onTestFinished(() => Promise.resolve(store.close?.()))
    const tokens = await fill(store, TOKENS)
    for (const [what, filter, matches] of QUERIES) {
      const expected = tokens.filter(matches).map(({ id }) => id)
      for (const limit of [1, 3, 1000]) {
        const found: string[] = []
        let after: ListQuery['after']
        // A long list is read only to its first pages.
        while (found.length < 3 * limit) {
          const page = await store.list({ prefix: 'acme', now: NOW, limit, ...filter, ...(after !== undefined && { after }) })
          found.push(...page.map(({ id }) => id))
          const last = page.at(-1)
          if (page.length < limit || last === undefined) break
          after = { createdAt: last.createdAt, id: last.id }
        }
        expect(found, `${what}, ${limit} at a time`).toEqual(expected.slice(0, 3 * limit))
      }
    }
  })
})

/** A store on SQLite, and the statements that it has run. */
async function loggedSqlite() {
  const folder = await ownFolder()
  onTestFinished(() => folder.remove())
  const Database = createRequire(import.meta.url)('libsql')
  const database = new Database(folder.path('tokens.db'))
  const queries: CompiledQuery[] = []
  const kysely = new Kysely<Record<string, never>>({ dialect: fileDialect(database), log: ({ query }) => void queries.push(query) })
  onTestFinished(() => kysely.destroy())
  return { store: sqliteStore({ database: kysely }), queries }
}

it('a list examines at most 5,000 tokens per statement', async () => {
  const { store, queries } = await loggedSqlite()
  await fill(store, 8_000)
  for (const filter of [
    { imported: true as const, tenantIds: ['acme'], nameContains: 'warehouse' },
    { statuses: ['pending' as const, 'revoked' as const] },
    { imported: true as const, tenantIds: ['globex', 'acme'], createdBy: 'cyd', neverUsed: true as const },
  ]) {
    queries.length = 0
    expect(await store.list({ prefix: 'acme', now: NOW, limit: 50, ...filter })).toHaveLength(0)
    const pages = queries.filter(({ sql }) => sql.includes('join'))
    expect(pages.length).toBeGreaterThanOrEqual(3)
    // Every statement but the last ends at a place in the list.
    for (const { sql } of pages.slice(0, -1)) expect(sql).toMatch(/"created_at", "latchkey_tokens"."id"\) >= \(\?, \?\)/)
    const edges = queries.filter(({ sql }) => sql.includes('offset'))
    expect(edges.length).toBeGreaterThanOrEqual(pages.length)
    for (const { parameters } of edges) expect(Number(parameters.at(-2))).toBeLessThan(5_000)
  }
})

it('a list in which every token matches reads only one page', async () => {
  const { store, queries } = await loggedSqlite()
  await fill(store, 3_000)
  queries.length = 0
  expect(await store.list({ prefix: 'acme', now: NOW, limit: 50, statuses: ['active', 'expired'] })).toHaveLength(50)
  expect(queries.filter(({ sql }) => sql.includes('join'))).toHaveLength(1)
  queries.length = 0
  for (const filter of [{}, { tenantIds: ['globex'] }, { tenantIds: ['acme', 'globex'] }, { createdBy: 'bea' }, { ownerId: 'olga' }]) {
    queries.length = 0
    expect(await store.list({ prefix: 'acme', now: NOW, limit: 50, ...filter })).toHaveLength(50)
    expect(queries).toHaveLength(1)
  }
})
