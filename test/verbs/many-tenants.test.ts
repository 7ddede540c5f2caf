import { latchkey } from 'latchkey'
import { sha256Tokens } from 'latchkey/import'
import { describe, expect, it, onTestFinished } from 'vitest'
import { IMPORT_KEY, oldToken, terms } from '../imports/world.js'
import { instance, mint, SCOPES, type Scope, verdict } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const stores = await everyStore()
const redis = stores.find(({ kind }) => kind === 'redis')
const list = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => `t-${at}`)

describe.each(stores)('an actor with a huge number of tenants on $kind', ({ place, skip }) => {
  it.skipIf(skip)('reads and changes tokens in any tenant of an actor with 10,000 tenants, and no others', async () => {
    const open = await place()
    const tokens = latchkey<Scope>({ prefix: 'acme_test', store: open(), scopes: SCOPES, logger: false, deadline: '60s' })
    onTestFinished(() => tokens.close().catch(() => undefined))
    const mine = await mint(tokens, { tenantId: 't-9999', ownerId: 'ada', name: 'Mine' })
    const other = await mint(tokens, { tenantId: 't-10000', ownerId: 'bob', name: 'Other' })
    const actor = tokens.as({ id: 'pia', tenants: list(10_000), manages: 'all' })
    for (const query of [{}, { name: 'mine' }, { status: 'active' }, { neverUsed: true }] as const) {
      expect((await actor.list(query)).items.map(({ id }) => id)).toEqual([mine.record.id])
    }
    expect((await actor.events()).items.map(({ tenantId }) => tenantId)).toEqual(['t-9999'])
    expect((await actor.events({ tokenId: mine.record.id })).items).toHaveLength(1)
    expect((await actor.list({ ownerId: 'ada' })).items).toHaveLength(1)
    expect(await actor.get(other.record.id)).toBeUndefined()
    expect(await actor.revokeAll({ all: true })).toMatchObject({ count: 1 })
    expect(await tokens.system.get(other.record.id)).toMatchObject({ status: 'active' })
  })
})

// Each tenant takes several subqueries, which used to take longer than the deadline.
it.each(['sqlite', 'memory'])(
  'lists the tokens of an actor with 10,000 tenants, most of them without tokens, in time on %s',
  async (kind) => {
    const open = await stores.find((store) => store.kind === kind)?.place()
    if (open === undefined) throw new Error(`${kind} is not a store`)
    const tokens = latchkey<Scope>({ prefix: 'acme_test', store: open(), scopes: SCOPES, logger: false })
    onTestFinished(() => tokens.close().catch(() => undefined))
    const mine = await Promise.all([7, 77, 777, 7_777].map((at) => mint(tokens, { tenantId: `t-${at}` })))
    await mint(tokens, { tenantId: 't-10000' })
    const actor = tokens.as({ id: 'pia', tenants: list(10_000), manages: 'all' })
    const ids = mine.map(({ record }) => record.id).sort()
    expect((await actor.list()).items.map(({ id }) => id).sort()).toEqual(ids)
    const first = await actor.list({ limit: 3 })
    const second = await actor.list({ limit: 3, cursor: first.nextCursor })
    expect([...first.items, ...second.items].map(({ id }) => id).sort()).toEqual(ids)
    expect((await actor.list({ tenantId: 't-10000' })).items).toEqual([])
    expect((await tokens.as({ id: 'joe', tenants: ['a', 'b'], manages: 'all' }).list()).items).toEqual([])
  },
)

it('rejects an actor with more tenants than a query can name, and states the limit', () => {
  const tokens = instance()
  expect(() => tokens.as({ id: 'pia', tenants: list(70_000), manages: 'all' })).toThrow(
    "actor.tenants: names 70,000 tenants, but the limit is 10,000: name those that the request is about, or '*' for all",
  )
})

it.skipIf(redis === undefined || redis.skip !== undefined)(
  'a list for thousands of tenants does not block other callers of Redis',
  async () => {
    const open = await redis?.place()
    if (open === undefined) return
    const format = sha256Tokens({ name: 'old', prefix: 'sk_', length: 35 })
    const shared = { prefix: 'acme_test', scopes: SCOPES, logger: false, imports: { key: IMPORT_KEY, formats: [format] } } as const
    const busy = latchkey<Scope>({ ...shared, store: open(), deadline: '60s' })
    const other = latchkey<Scope>({ ...shared, store: open(), cache: false })
    onTestFinished(async () => void (await Promise.allSettled([busy.close(), other.close()])))
    const rows = Array.from({ length: 3_000 }, (_, at) => oldToken(at).row)
    await busy.system.import(rows, {
      format,
      map: (row) => ({ ...terms(row as (typeof rows)[number]), tenantId: `x-${(row as (typeof rows)[number]).id % 9}` }),
    })
    const { token } = await mint(busy, { tenantId: 'x-1' })
    const pia = busy.as({ id: 'pia', tenants: list(10_000), manages: 'all' })
    let listed = false
    const listing = Promise.all([pia.list(), pia.list({ status: 'active' }), pia.events({ limit: 1000 })]).finally(() => {
      listed = true
    })
    while (!listed) expect(await verdict(other.verify(token))).toBe('ok')
    expect((await listing).map(({ items }) => items.length)).toEqual([0, 0, 0])
  },
)
