import { expect, it, onTestFinished } from 'vitest'
import { list } from '../../adapters/stores/sql/queries/list.js'
import type { ListQuery } from '../../src/store/port.js'
import { countedSqlite } from './sql/sqlite-work.js'

const NOW = 1_800_000_000_000
const TOKENS = 80_000
/** The most instructions that a statement may run: more than it needs for 5,000 tokens, but fewer than five for each token. */
const MOST = 350_000

const OLD = Array.from({ length: 70 }, (_, index) => `old${index}`)

const IDS = Array.from({ length: 100 }, (_, at) => `z${String(at * 5).padStart(15, '0')}`)
const AFTER = { createdAt: NOW - 1_000_000 + TOKENS / 2, id: 'z000000000060000' }

/** A large tenant, and many small tenants with the oldest tokens. Half of the tokens were created at the same instant and expire at the same instant. */
function filled() {
  const counted = countedSqlite()
  onTestFinished(() => counted.close())
  counted.exec(`insert into latchkey_tokens (id, version, prefix, digest, name, name_folded, tenant_id, owner_id, scopes, created_at, created_by, updated_at, expires_at, rotation_due_at, imported_from, root_id)
    with recursive n (at) as (select 0 union all select at + 1 from n where at < ${TOKENS - 1})
    select printf('z%015d', at), 1, 'acme', printf('d%d', at), iif(at = 2, 'Till', 'Warehouse'), iif(at = 2, 'till', 'warehouse'),
      iif(at < 700, 'old' || (at % 70), 'big'), iif(at % 3 = 0, 'olga', 'otto'), '[]',
      ${NOW} - 1000000 + min(at, ${TOKENS / 2}), iif(at = 1, 'mallory', iif(at % 2, 'admin', 'bea')), 0,
      ${NOW} + min(at, ${TOKENS / 2}) - ${TOKENS / 2} + 1, ${NOW} - 5 - min(at, ${TOKENS / 2}), iif(at = 1, 'old', null), 'root' from n`)
  return counted
}

/** A filter, and what it means. */
type Filter = readonly [Partial<ListQuery>, string]

const SCOPES: readonly Filter[] = [
  [{}, 'true'],
  [{ tenantIds: ['big'] }, "tenant_id = 'big'"],
  [{ tenantIds: ['big', 'old1'] }, "tenant_id in ('big', 'old1')"],
  [{ tenantIds: OLD }, "tenant_id like 'old%'"],
]
const PEOPLE: readonly Filter[] = [
  [{}, 'true'],
  [{ createdBy: 'mallory' }, "created_by = 'mallory'"],
  [{ createdBy: 'admin', ownerId: 'otto' }, "created_by = 'admin' and owner_id = 'otto'"],
]
const FILTERS: readonly Filter[] = [
  [{}, 'true'],
  [{ limit: 1001 }, 'true'],
  [{ statuses: ['active'] }, `expires_at > ${NOW}`],
  [{ statuses: ['revoked'] }, 'false'],
  [{ statuses: ['inactive', 'revoked'] }, 'false'],
  [{ statuses: ['pending'] }, 'false'],
  [{ statuses: ['expired'] }, `expires_at <= ${NOW}`],
  [{ statuses: ['expired'], imported: true }, `expires_at <= ${NOW} and imported_from is not null`],
  [{ statuses: ['expired'], now: NOW + 1 }, `expires_at <= ${NOW + 1}`],
  [{ expiresFrom: NOW - 12_000, expiresBefore: NOW + 1, limit: 60 }, `expires_at >= ${NOW - 12_000} and expires_at <= ${NOW}`],
  [{ expiresFrom: NOW - TOKENS, neverUsed: true, limit: 1001 }, `expires_at >= ${NOW - TOKENS}`],
  [{ expiresBefore: NOW + 5, statuses: ['inactive'] }, 'false'],
  [{ rotationDue: true }, `expires_at > ${NOW}`],
  [
    { rotationDue: true, rotationDueFrom: NOW - 15_000, now: NOW - TOKENS },
    `rotation_due_at >= ${NOW - 15_000} and rotation_due_at <= ${NOW - TOKENS}`,
  ],
  [{ rotationDueFrom: NOW - 15_000, limit: 1001 }, `rotation_due_at >= ${NOW - 15_000}`],
  [{ imported: true }, 'imported_from is not null'],
  [{ neverExpires: true, neverUsed: true, unusedSince: NOW }, 'false'],
  [{ nameContains: 'till' }, "name_folded = 'till'"],
  [{ nameContains: 'TI' }, "name_folded = 'till'"],
  [{ nameContains: 'warehouse', notReplaced: true, imported: true }, "imported_from is not null and name_folded = 'warehouse'"],
  [{ idStartsWith: 'z0', imported: true }, 'imported_from is not null'],
  [{ idStartsWith: 'z', imported: true }, 'imported_from is not null'],
  [{ idStartsWith: 'z00000000000001', limit: 7 }, "id like 'z00000000000001%'"],
  [{ ids: IDS }, `id in ('${IDS.join("', '")}')`],
  [{ ids: IDS, imported: true }, `id in ('${IDS.join("', '")}') and imported_from is not null`],
  [{ rootId: 'root', imported: true }, 'imported_from is not null'],
  [{ after: AFTER, imported: true }, 'imported_from is not null'],
  [{ after: AFTER }, `(created_at, id) < (${AFTER.createdAt}, '${AFTER.id}')`],
]

const KINDS: readonly Filter[] = SCOPES.flatMap(([scope, inScope]) =>
  PEOPLE.flatMap(([people, byPeople]) =>
    FILTERS.map(([filter, matches]): Filter => [{ ...scope, ...people, ...filter }, `${inScope} and ${byPeople} and ${matches}`]),
  ),
)

it.each([
  ['without planner statistics', []],
  ['with planner statistics', ['analyze']],
])('a statement of a list on SQLite examines few tokens whatever the filters are, %s', { timeout: 120_000 }, async (_what, statements) => {
  const { sql, exec, work, ids } = filled()
  for (const statement of statements) exec(statement)
  const long: object[] = []
  for (const [kind, matches] of KINDS) {
    const query = { prefix: 'acme', now: NOW, limit: 51, ...kind }
    work.length = 0
    const page = await list(sql, query)
    expect(work.length).toBeGreaterThan(0)
    const worst = work.reduce((most, each) => (each.instructions > most.instructions ? each : most))
    if (worst.instructions > MOST) long.push({ kind, ...worst })
    const expected = `select id from latchkey_tokens not indexed where ${matches} order by created_at desc, id desc limit ${query.limit}`
    expect(
      page.map(({ id }) => id),
      JSON.stringify(kind),
    ).toEqual(ids(expected))
  }
  expect(long).toEqual([])
})
