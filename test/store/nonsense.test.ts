import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'

const over = (changes: Partial<Record<keyof TokenStore, unknown>>) => {
  const store = { ...memoryStore(), ...changes } as TokenStore
  const errors: unknown[] = []
  const options = { prefix: 'acme_live', scopes: { a: 'b' }, logger: false, cache: false } as const
  const tokens = latchkey({ ...options, store, onError: ({ error }) => void errors.push(error) })
  return { tokens, errors }
}

describe('a custom store that returns nonsense', () => {
  it.each([
    ['null', null],
    ['an empty object', {}],
    ['one whose instant is a text', { nodeId: 'x', cursor: 'y', expiresAt: 'later' }],
    ['one without an id', { cursor: 'y', expiresAt: 1 }],
  ])('prune() is refused as undecided if a lease is %s', async (_, lease) => {
    const { tokens, errors } = over({ leases: () => [lease] })
    const pruning = tokens.system.prune({ before: new Date(Date.now() - 1000) })
    await expect(pruning).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('leases()') })
    expect(errors).toHaveLength(1)
    await tokens.close()
  })

  it('sealAudit() ends if the store never returns the seals that it has', async () => {
    const { tokens } = over({ seals: () => [], saveSeal: () => false })
    await tokens.system.create({ name: 'ERP', scopes: ['a'] })
    const sealing = tokens.system.sealAudit()
    await expect(sealing).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('refuses every seal') })
    await tokens.close()
  })
})
