import type { Actor } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { instance, mint, refusal } from '../latchkey/harness.js'

const OWN: Actor = { id: 'bob', tenants: ['t1'], manages: 'own' }
const ADMIN: Actor = { id: 'ann', tenants: ['t1'], manages: 'all' }
const PARTNER: Actor = { id: 'pat', tenants: ['t1', 't2'], manages: 'all' }
const ROOT: Actor = { id: 'root', tenants: '*', manages: 'all' }

type Stopper = ReturnType<typeof instance>

describe('a deactivation', () => {
  it.each([
    ["the token's own user", OWN, [OWN, ADMIN, PARTNER, ROOT], []],
    ['an administrator of the tenant', ADMIN, [ADMIN, PARTNER, ROOT], [OWN]],
    ['a superadmin', ROOT, [ROOT], [OWN, ADMIN, PARTNER]],
  ] as const)('lets only actors with at least the same reach lift a deactivation by %s', async (_who, stopper, lifters, others) => {
    const tokens = instance()
    const { record } = await tokens.as(OWN).create({ name: 'x', tenantId: 't1', scopes: ['stock:read'] })
    for (const lifter of lifters) {
      await tokens.as(stopper).deactivate(record.id)
      for (const other of others) expect(await refusal(tokens.as(other).activate(record.id))).toBe('grant_denied actor')
      // Activation also requires the permission to create the token, which the token's own user has as the owner.
      expect((await tokens.as(lifter).activate(record.id)).status).toBe('active')
    }
  })

  it('treats a deactivation by the application as having the greatest reach', async () => {
    const tokens = instance()
    const { record } = await mint(tokens, { tenantId: 't1' })
    await tokens.system.deactivate(record.id)
    expect(await refusal(tokens.as(ADMIN).activate(record.id))).toBe('grant_denied actor')
    expect((await tokens.as(ROOT).activate(record.id)).deactivatedReach).toBeUndefined()
  })

  it.each([
    ['a superadmin', (tokens: Stopper, id: string) => tokens.as(ROOT).deactivate(id), 'root'],
    ['the application', (tokens: Stopper, id: string) => tokens.system.deactivate(id), 'system'],
  ] as const)("replaces a user's own deactivation with a deactivation by %s, which the user cannot lift", async (_who, stop, by) => {
    const tokens = instance()
    const { record } = await tokens.as(OWN).create({ name: 'x', tenantId: 't1', scopes: ['stock:read'] })
    await tokens.as(OWN).deactivate(record.id)
    expect(await stop(tokens, record.id)).toMatchObject({ deactivatedBy: by, deactivatedReach: 'all', version: 3 })
    for (const other of [OWN, ADMIN]) expect(await refusal(tokens.as(other).activate(record.id))).toBe('grant_denied actor')
    const { items } = await tokens.system.events({ tokenId: record.id, action: 'token.deactivated' })
    expect(items.map(({ actorId }) => actorId)).toEqual([by, 'bob'])
  })

  it('keeps a deactivation unchanged if an actor with no greater reach repeats it', async () => {
    const tokens = instance()
    const { record } = await tokens.as(OWN).create({ name: 'x', tenantId: 't1', scopes: ['stock:read'] })
    await tokens.as(ADMIN).deactivate(record.id)
    for (const other of [OWN, ADMIN, PARTNER])
      expect(await tokens.as(other).deactivate(record.id)).toMatchObject({ deactivatedBy: 'ann', version: 2 })
  })

  it("a deactivation because of a leak replaces a user's own deactivation", async () => {
    const tokens = instance()
    const { token, record } = await tokens.as(OWN).create({ name: 'x', tenantId: 't1', scopes: ['stock:read'] })
    await tokens.as(OWN).deactivate(record.id)
    await tokens.as(ROOT).reportLeak({ token, action: 'deactivate' })
    expect(await refusal(tokens.as(OWN).activate(record.id))).toBe('grant_denied actor')
  })
})

describe('a leak report', () => {
  it('a leak report reveals and changes nothing if the reporter cannot see the leaked token', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens, { tenantId: 't2' })
    expect(await tokens.as(ADMIN).reportLeak({ token, action: 'revoke' })).toEqual({ known: false })
    expect(await tokens.system.get(record.id)).toMatchObject({ status: 'active', version: 1 })
    expect((await tokens.system.events({ tokenId: record.id })).items).toHaveLength(1)
  })

  it('records a leak report once, together with the action taken', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens, { tenantId: 't1' })
    const reports = await Promise.all(
      Array.from({ length: 20 }, () => tokens.as(ADMIN).reportLeak({ token, url: 'https://x', action: 'revoke' })),
    )
    expect(reports.filter(({ repeated }) => repeated === false)).toHaveLength(1)
    for (const { record: reported } of reports)
      expect(reported).toMatchObject({ status: 'revoked', revokedCode: 'leaked', revokedBy: 'ann' })
    const actions = (await tokens.system.events({ tokenId: record.id })).items.map(({ action }) => action)
    expect(actions).toHaveLength(3)
  })
})

describe('an owner whose permissions changed', () => {
  it('ownerChanged() is limited to the tenants that the actor manages', async () => {
    const tokens = instance()
    expect(await refusal(tokens.as(ADMIN).ownerChanged({ ownerId: 'u1' }))).toBe('grant_denied tenantId')
    expect(await refusal(tokens.as(ADMIN).ownerChanged({ ownerId: 'u1', tenantId: 't2' }))).toBe('grant_denied tenantId')
    expect(await refusal(tokens.as(OWN).ownerChanged({ ownerId: 'u1', tenantId: 't1' }))).toBe('grant_denied ownerId')
    expect(await refusal(tokens.as(ADMIN).ownerChanged({ ownerId: 'u1', tenantId: 't1' }))).toBe('done')
    expect(await refusal(tokens.as(ROOT).ownerChanged({ ownerId: 'u1' }))).toBe('done')
  })
})
