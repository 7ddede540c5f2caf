import { describe, expect, it, vi } from 'vitest'
import { compileCatalogue } from '../../src/policy/catalogue.js'
import { closest } from '../../src/policy/suggest.js'

vi.mock('../../src/policy/suggest.js', async (original) => {
  const real = await original<typeof import('../../src/policy/suggest.js')>()
  return { ...real, closest: vi.fn(real.closest) }
})

const catalogue = () => compileCatalogue({ scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' } })

const permissions = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `permission:${from + at}`)

// The option `owner` is called with every verification, so its result must not be compared with the whole catalogue each time.
describe('scopes from the host that are not in the catalogue', () => {
  it('scopes outside the catalogue are compared with the catalogue once, however often they occur', () => {
    const { resolveFrom } = catalogue()
    const owned = ['inventory:read', ...permissions(0, 50)]
    resolveFrom('the scopes of an owner', owned)
    vi.mocked(closest).mockClear()
    for (let times = 0; times < 20; times += 1) expect(resolveFrom('the scopes of an owner', owned).names).toEqual(['inventory:read'])
    expect(closest).not.toHaveBeenCalled()
  })

  it('scopes outside the catalogue are no longer compared after too many different scopes', () => {
    const { resolveFrom } = catalogue()
    for (let from = 0; from < 6000; from += 50) resolveFrom('the scopes of an owner', permissions(from, from + 50))
    vi.mocked(closest).mockClear()
    resolveFrom('the scopes of an owner', permissions(6000, 6050))
    resolveFrom('the scopes of an owner', ['x'.repeat(200)])
    expect(closest).not.toHaveBeenCalled()
  })
})
