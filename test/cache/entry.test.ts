import { describe, expect, it } from 'vitest'
import { compileEntry, type Entry } from '../../src/cache/entry.js'
import type { StoredToken } from '../../src/model/record.js'
import { compileCatalogue } from '../../src/policy/catalogue.js'
import { MAX_INSTANT } from '../../src/policy/instant.js'
import { refusalOf } from '../../src/policy/status.js'
import { token } from '../../src/testing/store-contract/build.js'

const catalogue = compileCatalogue({ scopes: { 'stock:read': 'See stock', 'stock:write': 'Change stock' } })

function entryOf(given: Partial<StoredToken>): Entry {
  const { ownerId, tenantId, ...rest } = token('acme_test')
  return compileEntry({ ...rest, ...given }, catalogue)
}

describe('a cached entry', () => {
  it('a cached entry keeps its expiry exact to the millisecond, with its visited flag set or cleared', () => {
    for (const expiresAt of [0, 1, 86_399_999, 86_400_000, 1_700_000_000_123, 4_000_000_099_999, MAX_INSTANT, undefined]) {
      const entry = entryOf(expiresAt === undefined ? {} : { expiresAt })
      expect(entry.expiresAt).toBe(expiresAt)
      entry.visited = true
      expect([entry.visited, entry.expiresAt]).toEqual([true, expiresAt])
      entry.visited = false
      expect([entry.visited, entry.expiresAt]).toEqual([false, expiresAt])
    }
  })

  it('rejects a token whose expiry cannot be read or lies beyond the year 9999', () => {
    for (const expiresAt of [Number.NaN, Number.POSITIVE_INFINITY, -1, MAX_INSTANT + 1]) {
      const entry = entryOf({ expiresAt })
      entry.visited = true
      expect(refusalOf(entry.lifecycle, 1_700_000_000_000)).toBe('token_expired')
    }
  })

  it('a cached entry keeps its own owner and creator, even if other tokens share the remaining fields', () => {
    const people: readonly Partial<StoredToken>[] = [
      { ownerId: 'ann', createdBy: 'ann' },
      { ownerId: 'ann', createdBy: 'bob' },
      { ownerId: 'bob', createdBy: 'ann' },
      { ownerId: 'bob', createdBy: 'bob', tenantId: 'acme' },
      { createdBy: 'ann' },
      { createdBy: 'bob', tenantId: 'acme' },
      { createdBy: 'false' },
      { ownerId: 'undefined', createdBy: 'false' },
      { ownerId: 'ann', createdBy: 'bob', metadata: { integration: 'erp' } },
    ]
    const entries = people.map(entryOf)
    for (const [at, { ownerId, createdBy, tenantId }] of people.entries()) {
      const entry = entries[at]
      expect([entry?.ownerId, entry?.createdBy, entry?.tenantId]).toEqual([ownerId, createdBy, tenantId])
    }
  })

  it('a cached entry never returns the field values of another token', () => {
    const plain = { ownerId: 'ann', createdBy: 'bob', scopes: ['stock:read'] }
    const special = entryOf({ ...plain, metadata: { integration: 'erp' }, revokedAt: 1, replacedById: 'other', inherit: true })
    const after = entryOf(plain)
    expect(special.parts).toMatchObject({ metadata: { integration: 'erp' }, revokedAt: 1, replaced: true, inherit: true })
    expect(after.parts).toMatchObject({ metadata: undefined, revokedAt: undefined, replaced: false, inherit: false })
    expect(entryOf(plain).parts).toBe(after.parts)
    expect(entryOf({ ...plain, scopes: ['stock:write'] }).scopes.names).toEqual(['stock:write'])
    expect(after.scopes.names).toEqual(['stock:read'])
  })

  it('keeps cached entries correct beyond the number of interned creators and names', () => {
    const entries = Array.from({ length: 45_000 }, (_, at) => entryOf({ ownerId: `owner-${at % 7}`, createdBy: `creator-${at}` }))
    expect(entries.every((entry, at) => entry.createdBy === `creator-${at}` && entry.ownerId === `owner-${at % 7}`)).toBe(true)
  })
})
