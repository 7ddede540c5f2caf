import type { Actor } from 'latchkey'
import { accept, exchange, foreignTokens, generateSigningKey, verifySigned } from 'latchkey/jwt'
import { describe, expect, it } from 'vitest'
import { admin, bearer, harness, partner, superadmin, user } from './support.js'

const ISSUER = 'https://auth.example'
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

describe('a signed token', () => {
  it('a signed token can neither read nor rotate its parent, whichever middleware accepted it', async () => {
    const { call, create, tokens } = harness()
    const { token, id } = await create(admin, { scopes: ['inventory:read', 'tokens:rotate-self'], metadata: { secret: 'plan' } })
    const key = await generateSigningKey()
    const form = new URLSearchParams({
      grant_type: GRANT,
      subject_token: token,
      subject_token_type: ACCESS_TOKEN,
      scope: 'tokens:rotate-self',
    })
    const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [key] })
    const bought = (await (await buy(new Request(ISSUER, { method: 'POST', body: form }))).json()) as { access_token: string }
    const verifier = { issuer: ISSUER, audience: 'stock', keys: { keys: [key.publicJwk] } }
    const foreign = foreignTokens({
      ...verifier,
      algorithms: ['ES256'],
      principal: () => ({ tokenId: id, name: 'somebody', scopes: ['tokens:rotate-self'] }),
    })
    for (const guard of [accept(tokens, verifySigned(verifier)), accept(tokens, foreign)]) {
      const admitted = await guard.verify(bought.access_token)
      if (!admitted.ok) throw new Error('the signed token should be good')
      const ask = { principal: admitted.principal, headers: bearer(bought.access_token) }
      for (const [method, path] of [
        ['GET', '/self'],
        ['POST', '/self/rotate'],
      ] as const) {
        const answer = await call(method, path, ask)
        expect([answer.status, answer.body.code]).toEqual([401, 'token_invalid'])
        expect(answer.text).not.toContain('plan')
      }
    }
    expect(await tokens.system.get(id)).toMatchObject({ version: 1, status: 'active' })
    expect((await tokens.system.list()).items).toHaveLength(1)
  })
})

describe('a deactivated token', () => {
  const reader: Actor = { id: 'rea', tenants: ['acme'], manages: 'all', scopes: ['inventory:read'], resources: { warehouse: ['w1'] } }

  it.each([
    ['#/scopes', { scopes: ['inventory:read', 'billing:read'], resources: { warehouse: ['w1'] } }],
    ['#/resources', { scopes: ['inventory:read'] }],
  ])('an actor who could not create a deactivated token cannot activate it: %s', async (pointer, terms) => {
    const { call, create, tokens } = harness()
    const { id } = await create(admin, terms)
    await call('POST', `/${id}/deactivate`, { actor: reader })
    const answer = await call('POST', `/${id}/activate`, { actor: reader })
    expect([answer.status, answer.body.code, answer.body.errors[0].pointer]).toEqual([403, 'grant_denied', pointer])
    expect(await tokens.system.get(id)).toMatchObject({ version: 2, status: 'inactive' })
    expect((await call('POST', `/${id}/activate`, { actor: admin })).status).toBe(200)
  })

  it('an actor who could create a deactivated token can activate it', async () => {
    const { call, create } = harness()
    const { id } = await create(admin, { scopes: ['inventory:read'], resources: { warehouse: ['w1'] } })
    await call('POST', `/${id}/deactivate`, { actor: reader })
    expect((await call('POST', `/${id}/activate`, { actor: reader })).body).toMatchObject({ status: 'active' })
  })
})

describe('a former administrator who now manages only their own tokens', () => {
  const demoted: Actor = { ...admin, manages: 'own' }

  it.each([['somebody else'], [undefined]])('a former administrator cannot expand a token that they created for %s', async (ownerId) => {
    const { call, create, tokens } = harness()
    const { id } = await create(admin, { scopes: ['inventory:read', 'billing:read'], expiresIn: 3600, ...(ownerId && { ownerId }) })
    const beyond = [
      call('POST', `/${id}/rotate`, { actor: demoted }),
      call('PATCH', `/${id}`, { actor: demoted, body: { scopes: ['inventory:*'] } }),
      call('PATCH', `/${id}`, { actor: demoted, body: { expiresAt: null } }),
    ]
    for (const answer of await Promise.all(beyond)) {
      expect([answer.status, answer.body.code, answer.body.errors[0].pointer]).toEqual([403, 'grant_denied', '#/ownerId'])
    }
    expect((await tokens.system.get(id))?.version).toBe(1)
    expect((await call('PATCH', `/${id}`, { actor: demoted, body: { name: 'old', scopes: ['inventory:read'] } })).status).toBe(200)
    expect((await call('POST', `/${id}/deactivate`, { actor: demoted })).status).toBe(200)
    expect((await call('POST', `/${id}/activate`, { actor: demoted })).status).toBe(403)
    expect((await call('POST', `/${id}/revoke`, { actor: demoted })).status).toBe(200)
  })

  it('a former administrator can still manage their own tokens', async () => {
    const { call, create } = harness()
    const { id } = await create(admin, { ownerId: admin.id })
    expect((await call('PATCH', `/${id}`, { actor: demoted, body: { scopes: ['inventory:*'] } })).status).toBe(200)
    expect((await call('POST', `/${id}/rotate`, { actor: demoted })).status).toBe(201)
  })
})

describe('the audit log of one tenant', () => {
  it('the audit log of one tenant does not reveal in which other tenants an actor acts', async () => {
    const { call, create } = harness()
    const revokeAll = async (body: object): Promise<unknown> => (await call('POST', '/revoke-all', { actor: partner, body })).body
    await create(admin)
    expect(await revokeAll({ tenantId: 'acme' })).toEqual({ count: 1 })
    await create(admin)
    await create(superadmin, { tenantId: 'bolt' })
    expect(await revokeAll({ all: true })).toEqual({ count: 2 })
    for (const actor of [admin, user]) {
      const { text } = await call('GET', '/events', { actor })
      expect(text).not.toContain('bolt')
    }
    const seen = async (actor: Actor): Promise<[string, number][]> =>
      (await call('GET', '/events?action=tokens.revoked', { actor })).body.items.map(
        ({ tenantId, count }: { tenantId: string; count: number }) => [tenantId, count],
      )
    expect(await seen(admin)).toEqual([
      ['acme', 1],
      ['acme', 1],
    ])
    expect((await seen(superadmin)).sort()).toEqual([
      ['acme', 1],
      ['acme', 1],
      ['bolt', 1],
    ])
  })
})
