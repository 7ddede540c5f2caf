import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import type { EventQuery, TokenStore } from '../../src/store/port.js'

const over = (changes: Partial<Record<keyof TokenStore, unknown>>) => {
  const store = { ...memoryStore(), ...changes } as TokenStore
  const errors: unknown[] = []
  const options = { prefix: 'acme_live', scopes: { a: 'b' }, logger: false, cache: false } as const
  const tokens = latchkey({ ...options, store, onError: ({ error }) => void errors.push(error) })
  return { tokens, errors }
}

describe('a custom store that returns invalid data', () => {
  it.each([
    ['null', null],
    ['an empty object', {}],
    ['an object whose instant is a string', { nodeId: 'x', cursor: 'y', expiresAt: 'later' }],
    ['an object without an ID', { cursor: 'y', expiresAt: 1 }],
  ])('prune() fails with store_unavailable if a lease is %s', async (_, lease) => {
    const { tokens, errors } = over({ leases: () => [lease] })
    const pruning = tokens.system.prune({ before: new Date(Date.now() - 1000) })
    await expect(pruning).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('leases()') })
    expect(errors).toHaveLength(1)
    await tokens.close()
  })

  const COUNT = { tokenId: 'x', bucketAt: 0, endpoint: '', scope: '', outcome: 'allowed', count: 1 }
  it.each([
    ['a counter is null', { counts: [null], addresses: [] }],
    ['a counter has no scope', { counts: [{ ...COUNT, scope: undefined }], addresses: [] }],
    ['a counter has no valid instant', { counts: [{ ...COUNT, bucketAt: 8.64e15 + 1 }], addresses: [] }],
    ['an address is null', { counts: [COUNT], addresses: [null] }],
    ['an address has no valid instant of last use', { counts: [], addresses: [{ tokenId: 'x', ip: '::1', count: 1, lastAt: Number.NaN }] }],
  ])('a usage report fails with store_unavailable if %s', async (_, answer) => {
    const { tokens } = over({ usage: () => answer })
    const { record } = await tokens.system.create({ name: 'ERP', scopes: ['a'] })
    const refused = { code: 'store_unavailable', message: expect.stringContaining('usage()') }
    await expect(tokens.system.usage(record.id)).rejects.toMatchObject(refused)
    await expect(tokens.system.usage(record.id, { step: '1d' })).rejects.toMatchObject(refused)
    await expect(tokens.system.usageOf({ ids: [record.id], from: new Date(Date.now() - 86_400_000) })).rejects.toMatchObject(refused)
    await tokens.close()
  })

  it.each([
    ['at', Number.NaN],
    ['at', '2030-01-01'],
    ['at', 8.64e15 + 1],
    ['action', null],
    ['actorId', 5],
    ['tokenId', {}],
    ['ownerId', null],
    ['count', 1.5],
    ['after', 'text'],
    ['before', 3],
    ['details', []],
    ['erased', {}],
  ])('an event whose %s is %j is marked as damaged, and neither hides other events nor stops erase()', async (field, value) => {
    const honest = memoryStore()
    const { tokens, errors } = over({
      ...honest,
      events: async (query: EventQuery) =>
        (await honest.events(query)).map((event) => (event.action === 'token.created' ? { ...event, [field]: value } : event)),
    })
    const { record } = await tokens.system.create({ name: 'ERP', scopes: ['a'], ownerId: 'ann' })
    await tokens.system.revoke(record.id)
    const { items } = await tokens.system.events({ order: 'oldest' })
    expect(items.map(({ damaged }) => damaged)).toEqual([[field], undefined])
    expect(JSON.stringify(items)).not.toContain('null')
    expect(errors).toHaveLength(1)
    expect((await tokens.health()).damagedEvents).toMatchObject([{ fields: [field] }])
    expect(await tokens.system.erase({ ownerId: 'ann' })).toMatchObject({ tokens: 1 })
    await tokens.close()
  })

  it('sealAudit() fails if the store never returns its seals', async () => {
    const { tokens } = over({ seals: () => [], saveSeal: () => false })
    await tokens.system.create({ name: 'ERP', scopes: ['a'] })
    const sealing = tokens.system.sealAudit()
    await expect(sealing).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('refuses every new seal') })
    await tokens.close()
  })
})
