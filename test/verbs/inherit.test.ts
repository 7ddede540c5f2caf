import type { Actor, OwnerPermissions } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { instance, principalOf, refusal, verdict } from '../latchkey/harness.js'

const ADA: Actor = { id: 'ada', tenants: ['t1'], manages: 'own', scopes: ['stock:read'] }
const ADMIN: Actor = {
  id: 'ann',
  tenants: ['t1'],
  manages: 'all',
  scopes: ['stock:read', 'stock:write'],
  resources: { warehouse: ['w1', 'w2'] },
}

/** An instance whose owners a test can change. */
function withOwners(owners: Record<string, OwnerPermissions | null>) {
  return instance({ owner: ({ ownerId }) => (Object.hasOwn(owners, ownerId) ? (owners[ownerId] ?? null) : null) })
}

describe('a token that inherits from its owner', () => {
  it('asks about an owner who is gone a bounded number of times when an actor keeps creating or rotating its tokens', async () => {
    let calls = 0
    let gone = false
    const owner = (): OwnerPermissions | null => {
      calls += 1
      return gone ? null : { scopes: ['stock:read'] }
    }
    const tokens = instance({ owner, cache: { ownerStaleness: 0 } })
    const by = tokens.as({ id: 'ann', tenants: ['t1'], manages: 'all', scopes: ['stock:read', 'stock:write'] })
    const create = () => by.create({ name: 'x', tenantId: 't1', ownerId: 'bob', inherit: true })
    const { record } = await create()
    gone = true
    calls = 0
    for (let at = 0; at < 300; at += 1) {
      expect(await refusal(create())).toBe('grant_denied ownerId')
      expect(await refusal(by.rotate(record.id))).toBe('grant_denied ownerId')
    }
    expect(calls).toBeLessThan(250)
  })

  it("an inheriting token follows its owner's permissions and resources, and ends with its owner", async () => {
    const owners: Record<string, OwnerPermissions | null> = { ada: { scopes: ['stock:read'], resources: { warehouse: ['w1'] } } }
    const tokens = withOwners(owners)
    const { token, record } = await tokens.as(ADA).create({ name: 'laptop', tenantId: 't1', inherit: true })
    expect(record).toMatchObject({ inherit: true, scopes: [], ownerId: 'ada' })
    const first = await principalOf(tokens.verify(token))
    expect(first).toMatchObject({ scopes: ['stock:read'], resources: { warehouse: ['w1'] } })
    expect(first.allows('stock:read', { warehouse: 'w2' })).toBe(false)
    owners.ada = { scopes: ['stock:read', 'billing:read'] }
    const second = await principalOf(tokens.verify(token))
    expect(second.scopes).toEqual(['stock:read', 'billing:read'])
    expect(second.allows('billing:read', { warehouse: 'w2' })).toBe(true)
    expect(await tokens.introspect(token)).toMatchObject({ active: true, scopes: ['stock:read', 'billing:read'] })
    owners.ada = null
    expect(await verdict(tokens.verify(token))).toBe('owner_denied')
    expect(await tokens.introspect(token)).toEqual({ active: false })
  })

  it('refuses an inheriting token without an owner option, without an owner, or with its own scopes', async () => {
    const tokens = instance()
    expect(await refusal(tokens.system.create({ name: 'x', ownerId: 'ada', inherit: true }))).toBe('invalid_input inherit')
    const owned = withOwners({ ada: { scopes: ['stock:read'] } })
    expect(await refusal(owned.system.create({ name: 'x', inherit: true }))).toBe('invalid_input inherit')
    expect(await refusal(owned.system.create({ name: 'x', ownerId: 'ada', inherit: true, scopes: ['stock:read'] } as never))).toBe(
      'invalid_input inherit',
    )
    expect(await refusal(owned.system.create({ name: 'x', ownerId: 'ada' } as never))).toBe('invalid_input scopes')
  })

  it("lets only an actor with all of an owner's permissions create an inheriting token for that owner", async () => {
    const owners: Record<string, OwnerPermissions | null> = { bob: { scopes: ['stock:read'], resources: { warehouse: ['w1'] } } }
    const tokens = withOwners(owners)
    const make = () => tokens.as(ADMIN).create({ name: 'x', tenantId: 't1', ownerId: 'bob', inherit: true })
    expect(await refusal(make())).toBe('done')
    owners.bob = { scopes: ['stock:read', 'billing:read'], resources: { warehouse: ['w1'] } }
    expect(await refusal(make())).toBe('grant_denied scopes')
    owners.bob = { scopes: ['stock:read'], resources: { warehouse: ['w3'] } }
    expect(await refusal(make())).toBe('grant_denied resources')
    owners.bob = { scopes: ['stock:read'] }
    expect(await refusal(make())).toBe('grant_denied resources')
    owners.bob = null
    expect(await refusal(make())).toBe('grant_denied ownerId')
    expect(await refusal(tokens.as(ADA).create({ name: 'x', tenantId: 't1', ownerId: 'bob', inherit: true }))).toBe('grant_denied ownerId')
  })

  it('an inheriting token refuses explicit scopes and rotation by a weaker actor, and inherits after rotation', async () => {
    const owners: Record<string, OwnerPermissions | null> = { bob: { scopes: ['billing:read'] } }
    const tokens = withOwners(owners)
    const { record } = await tokens.system.create({ name: 'x', tenantId: 't1', ownerId: 'bob', inherit: true })
    expect(await refusal(tokens.system.update(record.id, { scopes: ['stock:read'] }))).toBe('invalid_input scopes')
    expect(await refusal(tokens.as(ADMIN).update(record.id, { name: 'renamed' }))).toBe('done')
    expect(await refusal(tokens.as(ADMIN).rotate(record.id))).toBe('grant_denied scopes')
    const next = await tokens.system.rotate(record.id)
    expect(next.record).toMatchObject({ inherit: true, ownerId: 'bob', rootId: record.id })
    expect((await principalOf(tokens.verify(next.token))).scopes).toEqual(['billing:read'])
  })
})

describe("an owner's resources", () => {
  it('limits a token with its own scopes in each dimension that the token or its owner names', async () => {
    const tokens = withOwners({ ada: { scopes: ['stock:read'], resources: { warehouse: ['w1', 'w2'], zone: ['north'] } } })
    const { token } = await tokens.system.create({
      name: 'x',
      ownerId: 'ada',
      scopes: ['stock:read'],
      resources: { warehouse: ['w2', 'w3'], shelf: ['s1'] },
    })
    const principal = await principalOf(tokens.verify(token))
    expect(principal.resources).toEqual({ warehouse: ['w2'], zone: ['north'], shelf: ['s1'] })
    for (const [asked, allowed] of [
      [{ warehouse: 'w2' }, true],
      [{ warehouse: 'w1' }, false],
      [{ warehouse: 'w3' }, false],
      [{ zone: 'north' }, true],
      [{ zone: 'south' }, false],
      [{ shelf: 's2' }, false],
      [{ other: 'x' }, true],
    ] as const) {
      expect(principal.allows('stock:read', asked), JSON.stringify(asked)).toBe(allowed)
    }
    expect(await tokens.introspect(token)).toMatchObject({ resources: { warehouse: ['w2'], zone: ['north'], shelf: ['s1'] } })
  })
})

describe('mayOwn', () => {
  it('calls mayOwn when an actor names another owner, but not when the application does', async () => {
    const asked: unknown[] = []
    const tokens = instance({
      mayOwn: (actor, owner) => {
        asked.push([actor.id, owner])
        return owner.ownerId === 'bob'
      },
    })
    const make = (actor: Actor | undefined, ownerId: string) =>
      (actor === undefined ? tokens.system : tokens.as(actor)).create({
        name: 'x',
        tenantId: 't1',
        ownerId,
        scopes: ['stock:read'],
        resources: { warehouse: ['w1'] },
      })
    expect(await refusal(make(ADMIN, 'bob'))).toBe('done')
    expect(await refusal(make(ADMIN, 'eve'))).toBe('grant_denied ownerId')
    expect(await refusal(make(ADMIN, 'ann'))).toBe('done')
    expect(await refusal(make(undefined, 'eve'))).toBe('done')
    expect(asked).toEqual([
      ['ann', { ownerId: 'bob', tenantId: 't1' }],
      ['ann', { ownerId: 'eve', tenantId: 't1' }],
    ])
  })

  it.each([
    ['throws', () => Promise.reject(undefined)],
    ['does not return a boolean', () => 'yes' as never],
    ['hangs', () => new Promise<boolean>(() => undefined)],
  ])('creates no token if mayOwn %s', async (_what, mayOwn) => {
    const tokens = instance({ mayOwn, deadline: 0.15 })
    expect(
      await refusal(tokens.as(ADMIN).create({ name: 'x', tenantId: 't1', ownerId: 'bob', scopes: [], resources: { warehouse: ['w1'] } })),
    ).toMatch(/^store_unavailable/)
    expect((await tokens.system.list()).items).toEqual([])
  })
})
