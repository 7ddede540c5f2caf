import type { Actor } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { admin, bearer, harness, partner, superadmin, user } from './support.js'

const reader: Actor = { id: 'rea', tenants: ['acme'], manages: 'all', scopes: ['inventory:read'], resources: { warehouse: ['w1'] } }
const GOOD = { name: 'n', tenantId: 'acme', scopes: ['inventory:read'], resources: { warehouse: ['w1'] } }

describe('grants on creation', () => {
  const BEYOND: readonly (readonly [string, Actor, object])[] = [
    ['#/scopes', reader, { scopes: ['inventory:write'] }],
    ['#/scopes', reader, { scopes: ['inventory:read', 'billing:read'] }],
    ['#/scopes', reader, { scopes: ['inventory:*'] }],
    ['#/scopes', reader, { scopes: ['@staff'] }],
    ['#/scopes', { ...reader, scopes: [] }, {}],
    ['#/scopes', { ...reader, scopes: ['inventory:raed'] }, {}],
    ['#/resources', reader, { resources: { warehouse: ['w1', 'w2'] } }],
    ['#/resources', reader, { resources: undefined }],
    ['#/resources', reader, { resources: { shelf: ['w1'] } }],
    ['#/tenantId', reader, { tenantId: 'bolt' }],
    ['#/tenantId', reader, { tenantId: undefined }],
    ['#/tenantId', partner, { tenantId: 'corp' }],
    ['#/ownerId', user, { ownerId: 'somebody-else' }],
  ]
  it.each(BEYOND)('a creation is refused at %s for %j with %j', async (pointer, actor, changes) => {
    const { call, tokens } = harness()
    const answer = await call('POST', '/', { actor, body: { ...GOOD, ...changes } })
    expect([answer.status, answer.body.code, answer.body.errors[0].pointer]).toEqual([403, 'grant_denied', pointer])
    expect((await tokens.system.list()).items).toEqual([])
    expect((await tokens.system.events()).items).toEqual([])
  })

  it('an actor can grant exactly what it has', async () => {
    const { call } = harness()
    expect((await call('POST', '/', { actor: reader, body: GOOD })).status).toBe(201)
    expect((await call('POST', '/', { actor: user, body: GOOD })).body.record).toMatchObject({ ownerId: 'uma', createdBy: 'uma' })
    expect((await call('POST', '/', { actor: superadmin, body: { ...GOOD, tenantId: undefined } })).status).toBe(201)
  })

  it('no token outlives the expiry policy or lacks a required expiry', async () => {
    const { call } = harness({ expiry: { max: 3600, required: true } })
    for (const life of [{}, { expiresIn: 3601 }, { expiresAt: '2099-01-01T00:00:00Z' }]) {
      expect((await call('POST', '/', { actor: admin, body: { ...GOOD, ...life } })).status).toBe(400)
    }
    const made = await call('POST', '/', { actor: admin, body: { ...GOOD, expiresIn: 3600 } })
    const path = `/${made.body.record.id}`
    expect((await call('PATCH', path, { actor: admin, body: { expiresAt: null } })).status).toBe(400)
    expect((await call('PATCH', path, { actor: admin, body: { expiresAt: '2099-01-01T00:00:00Z' } })).status).toBe(400)
  })
})

describe('grants on update and rotation', () => {
  it('an update or rotation never grants more than the actor has, but may keep existing permissions', async () => {
    const { call, create, tokens } = harness()
    const terms = { expiresIn: 60, allowedIps: ['192.0.2.1'], resources: { warehouse: ['w2'] } }
    const { id } = await create(admin, { scopes: ['inventory:read', 'billing:read'], ...terms })
    const before = await tokens.system.get(id)
    for (const body of [{ expiresAt: null }, { allowedIps: null }, { resources: null }, { resources: { warehouse: ['w1'] } }]) {
      expect((await call('PATCH', `/${id}`, { actor: reader, body })).body.code).toBe('grant_denied')
    }
    for (const body of [{ scopes: ['inventory:read', 'inventory:write'] }, { scopes: ['*'] }, { scopes: ['@staff'] }]) {
      expect((await call('PATCH', `/${id}`, { actor: reader, body })).status).toBeGreaterThanOrEqual(400)
    }
    expect((await call('POST', `/${id}/rotate`, { actor: reader })).body.code).toBe('grant_denied')
    expect(await tokens.system.get(id)).toEqual(before)
    expect((await call('PATCH', `/${id}`, { actor: reader, body: { scopes: ['inventory:read'] } })).status).toBe(200)
  })

  it("a rotation keeps the token's settings, and its overlap never extends the token's life", async () => {
    const { call, tokens } = harness()
    const terms = { ...GOOD, allowedIps: ['192.0.2.0/24'], expiresAt: '2099-01-01T00:00:00.000Z', metadata: { a: 1 } }
    const made = await call('POST', '/', { actor: user, body: terms })
    const path = `/${made.body.record.id}`
    const { body } = await call('POST', `${path}/rotate`, { actor: admin, body: { overlap: 60 } })
    expect(body.record).toMatchObject({ ...terms, ownerId: 'uma', createdBy: 'uma' })
    const old = await tokens.system.get(made.body.record.id)
    expect((old?.expiresAt?.getTime() ?? 0) - (old?.updatedAt.getTime() ?? 0)).toBe(60_000)
    expect((await call('PATCH', path, { actor: admin, body: { expiresAt: null } })).status).toBe(400)
    expect((await call('PATCH', path, { actor: admin, body: { expiresAt: '2099-01-01T00:00:00Z' } })).status).toBe(400)
  })

  it('revoked, expired and inactive tokens cannot be rotated, and revoked tokens cannot be activated', async () => {
    let now = Date.now()
    const { call, create, tokens } = harness({ clock: () => now })
    const [revoked, expired, inactive] = await Promise.all([create(admin), create(admin, { expiresIn: 10 }), create(admin)])
    await call('POST', `/${revoked.id}/revoke`, { actor: admin })
    await call('POST', `/${inactive.id}/deactivate`, { actor: admin })
    now += 20_000
    for (const { id } of [revoked, expired, inactive]) {
      expect((await call('POST', `/${id}/rotate`, { actor: admin, body: { overlap: 60 } })).status).toBe(409)
    }
    for (const action of ['activate', 'deactivate'])
      expect((await call('POST', `/${revoked.id}/${action}`, { actor: admin })).status).toBe(409)
    expect(await tokens.verify(revoked.token)).toEqual({ ok: false, code: 'token_revoked' })
  })
})

describe('a token that rotates itself', () => {
  it('a token that rotates itself keeps its settings and cannot change them through the body', async () => {
    const { call, create, tokens } = harness()
    const { id, token } = await create(user, {
      scopes: ['tokens:rotate-self', 'inventory:read'],
      expiresIn: 3600,
      allowedIps: ['192.0.2.0/24'],
      resources: { w: [] },
    })
    const before = await tokens.system.get(id)
    const ask = { headers: bearer(token), ip: '192.0.2.9' }
    for (const body of [{ scopes: ['*'] }, { expiresAt: null }, { tenantId: 'bolt' }, { overlap: -1 }, { overlap: 1e9 }]) {
      expect((await call('POST', '/self/rotate', { ...ask, body })).status).toBe(400)
    }
    const { body } = await call('POST', '/self/rotate', { ...ask, body: { overlap: 30 } })
    const { scopes, expiresAt, allowedIps, resources, tenantId, ownerId, createdBy } = before ?? {}
    const same = { scopes, expiresAt: expiresAt?.toISOString(), allowedIps, resources, tenantId, ownerId, createdBy }
    expect(body.record).toMatchObject(JSON.parse(JSON.stringify(same)))
  })
})
