import { type Actor, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'

const HOUR = 3_600_000
const _actor = 'system'
const scopes = { 'stock:read': 'See', 'stock:write': 'Change', 'bills:read': 'See', ping: 'Ping' }

const instance = (options: object = {}) => {
  const store = memoryStore()
  return { store, tokens: latchkey({ prefix: 'acme', store, scopes, groups: { staff: ['stock:read', 'bills:read'] }, ...options }) }
}
const person = (fields: Partial<Actor>): { actor: Actor } => ({ actor: { id: 'ada', tenants: '*', manages: 'all', ...fields } })

describe('what an actor may grant', () => {
  it('lets an unlimited actor grant everything, and the bare wildcard only if the options allow it', () => {
    const all = ['stock:read', 'stock:write', 'bills:read', 'ping', 'stock:*', 'bills:*', '@staff']
    expect(instance().tokens.system.grantable()).toEqual(all)
    expect(instance().tokens.as(person({}).actor).grantable()).toEqual(all)
    expect(instance({ allowWildcard: true }).tokens.system.grantable()).toContain('*')
  })

  it('lists exactly the permissions that the actor may grant to a new token', async () => {
    const { tokens } = instance({ allowWildcard: true })
    const candidates = [...tokens.system.grantable()]
    for (const held of [[], ['stock:read'], ['stock:*'], ['@staff'], ['@staff', 'stock:write'], ['*'], ['gone:read']]) {
      const by = person({ scopes: held })
      const offered = tokens.as(by.actor).grantable()
      for (const grant of candidates) {
        const made = await tokens
          .as(by.actor)
          .create({ name: 'x', scopes: [grant as 'ping'] })
          .then(
            () => true,
            () => false,
          )
        expect(offered.includes(grant), `${grant} by ${held}`).toBe(made)
      }
    }
  })

  it('refuses to list grants for an incomplete actor', () => {
    expect(() =>
      instance()
        .tokens.as({} as Actor)
        .grantable(),
    ).toThrow(/actor/)
  })
})

describe('usage of several tokens', () => {
  const setUp = async () => {
    const { tokens, store } = instance()
    const ids: string[] = []
    for (const tenantId of ['acme', 'acme', 'bolt'])
      ids.push((await tokens.system.create({ name: tenantId, tenantId, scopes: [] })).record.id)
    const start = Math.floor(Date.now() / HOUR) * HOUR - 10 * HOUR
    const counts = ids.flatMap((tokenId, index) => [
      { tokenId, bucketAt: start, endpoint: 'GET /a', outcome: 'allowed', scope: '', count: index + 1 },
      { tokenId, bucketAt: start + HOUR, endpoint: 'GET /b', outcome: 'allowed', scope: '', count: 10 },
      { tokenId, bucketAt: start + HOUR, endpoint: 'GET /b', outcome: 'scope_insufficient', scope: '', count: 3 },
      { tokenId, bucketAt: start + 5 * HOUR, endpoint: '', outcome: 'allowed', scope: '', count: 7 },
    ])
    await store.recordUsage({ nodeId: 'n', seq: 1, at: start, counts, addresses: [], lastUses: [] })
    return { tokens, ids, start }
  }

  it('counts usage in equal steps from the start of the range', async () => {
    const { tokens, ids, start } = await setUp()
    const { items } = await tokens.system.usageOf({ ids: ids.slice(0, 1), from: start, step: 7200 })
    expect(items).toEqual([
      {
        tokenId: ids[0],
        total: 18,
        refused: 3,
        steps: [
          { at: new Date(start), count: 11, refused: 3 },
          { at: new Date(start + 4 * HOUR), count: 7, refused: 0 },
        ],
      },
    ])
    expect((await tokens.system.usageOf({ ids, from: start + HOUR, to: start + 2 * HOUR })).items.map(({ total }) => total)).toEqual([
      10, 10, 10,
    ])
  })

  it('usageOf() omits tokens that do not exist or that the actor cannot see', async () => {
    const { tokens, ids, start } = await setUp()
    const asked = { ids: [...ids, '0000000000000000', ...ids], from: start }
    const seen = async (by: Partial<Actor>): Promise<string[]> =>
      (await tokens.as(person(by).actor).usageOf(asked)).items.map(({ tokenId }) => tokenId).sort()
    expect(await seen({ tenants: ['acme'] })).toEqual(ids.slice(0, 2).sort())
    expect(await seen({ tenants: ['bolt'], manages: 'own' })).toEqual([])
    expect(await seen({})).toEqual([...ids].sort())
  })

  it.each([
    ['ids', { ids: [] }],
    ['ids', { ids: Array.from({ length: 101 }, () => '0000000000000000') }],
    ['ids.0', { ids: ['short'] }],
    ['from', { from: 'yesterday' }],
    ['from', { to: Date.now() - 2 * HOUR }],
    ['step', { step: 60 }],
    ['step', { step: 5400 }],
    ['step', { from: Date.now() - 2000 * HOUR }],
    ['extra', { extra: 1 }],
  ])('refuses usageOf with an invalid value of %s', async (field, input) => {
    const { tokens } = instance()
    const asked = { ids: ['0000000000000000'], from: Date.now() - HOUR, ...input }
    await expect(tokens.system.usageOf(asked as never)).rejects.toMatchObject({ code: 'invalid_input', field })
  })
})
