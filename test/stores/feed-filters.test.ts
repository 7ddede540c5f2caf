import { latchkey, type TokenStore } from 'latchkey'
import { describe, expect, it, onTestFinished } from 'vitest'
import { feedFilters } from '../../src/store/feed-filters.js'
import type { TokenFilter } from '../../src/store/port.js'
import { SCOPES } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const stores = await everyStore()

const tenant = (at: number, length = 36): string => `ten"ant\u6771-${String(at).padStart(length, '0')}`

/** Reads the filters of the bulk changes since then. */
async function bulkChangesSince(store: TokenStore, cursor: string): Promise<readonly TokenFilter[]> {
  const filters: TokenFilter[] = []
  for (let after = cursor; ; ) {
    const page = await store.changes(after, 1000)
    expect(page.everything).toBe(false)
    filters.push(...page.bulk)
    if (!page.more) return filters
    after = page.cursor
  }
}

describe.each(stores)('a bulk revocation by an actor with many tenants on $kind', ({ kind, place, skip }) => {
  it.skipIf(skip)('tells other nodes the tenants whose tokens it revoked, and no other tenant', async () => {
    const open = await place()
    const store = open()
    const tokens = latchkey({ prefix: 'acme', store, scopes: SCOPES, logger: false })
    onTestFinished(() => tokens.close().catch(() => undefined))
    const names = Array.from({ length: 2_000 }, (_, at) => tenant(at))
    const touched = names.filter((_, at) => at % 400 === 7)
    for (const tenantId of [...touched, 'victim'])
      await tokens.system.create({ name: 'x', scopes: ['stock:read'], tenantId, ownerId: 'bob' })
    const { cursor } = await store.changes(undefined, 1)
    const partner = tokens.as({ id: 'partner', tenants: names, manages: 'all' })
    expect(await partner.revokeAll({ ownerId: 'bob' })).toMatchObject({ count: touched.length })
    const filters = await bulkChangesSince(store, cursor)
    const told = filters.flatMap(({ tenantIds = ['*'] }) => tenantIds)
    // The memory store passes the filter on as it is.
    expect(told.filter((name) => kind !== 'memory' || touched.includes(name)).sort()).toEqual(touched)
    expect(names).toEqual(expect.arrayContaining(told))
    for (const filter of filters) expect(filter).toMatchObject({ prefix: 'acme', ownerId: 'bob' })
    expect((await tokens.system.list({ status: 'active' })).items.map(({ tenantId }) => tenantId)).toEqual(['victim'])
  })
})

describe('the filters of a change in the feed', () => {
  const prefix = 'acme'

  it('are the filter itself if it is short', () => {
    for (const filter of [{ prefix }, { prefix, tenantIds: ['a', 'b'], ownerId: 'o' }, { prefix, ids: ['x'] }])
      expect(feedFilters(filter, ['a', undefined])).toEqual([filter])
  })

  it.each([36, 500, 200_000])('are parts of the changed tenants if it is long, each short, whatever their length: %i', (length) => {
    const all = Array.from({ length: 900 }, (_, at) => tenant(at, at === 0 ? length : 36))
    const filter = { prefix, tenantIds: all, createdBy: 'ann' }
    const filters = feedFilters(filter, all)
    expect(filters.flatMap(({ tenantIds = [] }) => tenantIds)).toEqual(all)
    for (const each of filters) {
      expect(each).toMatchObject({ prefix, createdBy: 'ann' })
      expect(JSON.stringify(each).length < 17_000 || each.tenantIds?.length === 1).toBe(true)
    }
  })

  it('match more tokens only if some of a long list of tokens have no tenant', () => {
    const ids = Array.from({ length: 2_000 }, (_, at) => String(at).padStart(16, '0'))
    expect(feedFilters({ prefix, ids }, ['a', 'b'])).toEqual([{ prefix, tenantIds: ['a', 'b'] }])
    expect(feedFilters({ prefix, ids }, ['a', undefined])).toEqual([{ prefix }])
  })
})
