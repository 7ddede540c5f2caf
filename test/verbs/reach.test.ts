import type { Actor } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { instance, mint, refusal } from '../latchkey/harness.js'

const OWN: Actor = { id: 'bob', tenants: ['t1'], manages: 'own' }
const ADMIN: Actor = { id: 'ann', tenants: ['t1'], manages: 'all' }
const PARTNER: Actor = { id: 'pat', tenants: ['t1', 't2'], manages: 'all' }
const ROOT: Actor = { id: 'root', tenants: '*', manages: 'all' }

type Stopper = ReturnType<typeof instance>

describe('a stop', () => {
  it.each([
    ['its own user', OWN, [OWN, ADMIN, PARTNER, ROOT], []],
    ['an administrator of the tenant', ADMIN, [ADMIN, PARTNER, ROOT], [OWN]],
    ['a superadmin', ROOT, [ROOT], [OWN, ADMIN, PARTNER]],
  ] as const)('made by %s is lifted only by who reaches as far', async (_who, stopper, lifters, others) => {
    const tokens = instance()
    const { record } = await tokens.as(OWN).create({ name: 'x', tenantId: 't1', scopes: ['stock:read'] })
    for (const lifter of lifters) {
      await tokens.as(stopper).deactivate(record.id)
      for (const other of others) expect(await refusal(tokens.as(other).activate(record.id))).toBe('grant_denied actor')
      // The permission to create it is a question of its own, so that own users lift with their own ownership.
      expect((await tokens.as(lifter).activate(record.id)).status).toBe('active')
    }
  })

  it('by the application is as far as one can reach', async () => {
    const tokens = instance()
    const { record } = await mint(tokens, { tenantId: 't1' })
    await tokens.system.deactivate(record.id)
    expect(await refusal(tokens.as(ADMIN).activate(record.id))).toBe('grant_denied actor')
    expect((await tokens.as(ROOT).activate(record.id)).deactivatedReach).toBeUndefined()
  })

  it.each([
    ['a superadmin', (tokens: Stopper, id: string) => tokens.as(ROOT).deactivate(id), 'root'],
    ['the application', (tokens: Stopper, id: string) => tokens.system.deactivate(id), 'system'],
  ] as const)('by %s takes the place of that of its own user, who cannot lift it any more', async (_who, stop, by) => {
    const tokens = instance()
    const { record } = await tokens.as(OWN).create({ name: 'x', tenantId: 't1', scopes: ['stock:read'] })
    await tokens.as(OWN).deactivate(record.id)
    expect(await stop(tokens, record.id)).toMatchObject({ deactivatedBy: by, deactivatedReach: 'all', version: 3 })
    for (const other of [OWN, ADMIN]) expect(await refusal(tokens.as(other).activate(record.id))).toBe('grant_denied actor')
    const { items } = await tokens.system.events({ tokenId: record.id, action: 'token.deactivated' })
    expect(items.map(({ actorId }) => actorId)).toEqual([by, 'bob'])
  })

  it('stays as it is where somebody who reaches no further stops the token once more', async () => {
    const tokens = instance()
    const { record } = await tokens.as(OWN).create({ name: 'x', tenantId: 't1', scopes: ['stock:read'] })
    await tokens.as(ADMIN).deactivate(record.id)
    for (const other of [OWN, ADMIN, PARTNER])
      expect(await tokens.as(other).deactivate(record.id)).toMatchObject({ deactivatedBy: 'ann', version: 2 })
  })

  it('for a leak takes the place of that of its own user', async () => {
    const tokens = instance()
    const { token, record } = await tokens.as(OWN).create({ name: 'x', tenantId: 't1', scopes: ['stock:read'] })
    await tokens.as(OWN).deactivate(record.id)
    await tokens.as(ROOT).reportLeak({ token, action: 'deactivate' })
    expect(await refusal(tokens.as(OWN).activate(record.id))).toBe('grant_denied actor')
  })
})

describe('a report of a leak', () => {
  it('by who may not see the token tells nothing of it and changes nothing', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens, { tenantId: 't2' })
    expect(await tokens.as(ADMIN).reportLeak({ token, action: 'revoke' })).toEqual({ known: false })
    expect(await tokens.system.get(record.id)).toMatchObject({ status: 'active', version: 1 })
    expect((await tokens.system.events({ tokenId: record.id })).items).toHaveLength(1)
  })

  it('stands in the audit only together with what was done about it', async () => {
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
  it('is told of in tenants that the actor manages only', async () => {
    const tokens = instance()
    expect(await refusal(tokens.as(ADMIN).ownerChanged({ ownerId: 'u1' }))).toBe('grant_denied tenantId')
    expect(await refusal(tokens.as(ADMIN).ownerChanged({ ownerId: 'u1', tenantId: 't2' }))).toBe('grant_denied tenantId')
    expect(await refusal(tokens.as(OWN).ownerChanged({ ownerId: 'u1', tenantId: 't1' }))).toBe('grant_denied ownerId')
    expect(await refusal(tokens.as(ADMIN).ownerChanged({ ownerId: 'u1', tenantId: 't1' }))).toBe('done')
    expect(await refusal(tokens.as(ROOT).ownerChanged({ ownerId: 'u1' }))).toBe('done')
  })
})
