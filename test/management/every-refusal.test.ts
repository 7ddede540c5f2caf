import type { Actor, AuditEvent } from 'latchkey'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { CODES, type Code } from '../../src/errors.js'
import { type Ask, admin, bearer, type Harness, harness, superadmin, user } from './support.js'

const OF_BOLT = { tenantId: 'bolt', scopes: ['inventory:read'] }
const AS_USED = { tenantId: 'acme', ownerId: 'uma', scopes: ['inventory:read'] }
const clerk: Actor = { ...admin, id: 'clerk', scopes: ['billing:read'] }

/** Requests that end with the code. The last one is checked. */
type Refusing = (h: Harness) => Promise<readonly (readonly [method: string, path: string, ask: Ask])[]>

const traced: { readonly [Name in Code]?: Refusing } = {
  actor_missing: async () => [['GET', '/', {}]],
  grant_denied: async () => [['POST', '/', { actor: clerk, body: { name: 'x', tenantId: 'acme', scopes: ['inventory:read'] } }]],
  not_found: async (h) => [['GET', `/${(await h.create({ ...admin, tenants: ['bolt'] }, OF_BOLT)).id}`, { actor: admin }]],
  token_limit_reached: async () => {
    const ask: Ask = { actor: user, body: { name: 'x', ...AS_USED } }
    return [
      ['POST', '/', ask],
      ['POST', '/', ask],
    ]
  },
  token_cannot_manage: async (h) => [['GET', '/', { actor: admin, headers: bearer((await h.create(admin)).token) }]],
  cross_site: async () => [
    ['POST', '/', { actor: admin, body: {}, headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' } }],
  ],
  scope_insufficient: async (h) => [['POST', '/self/rotate', { headers: bearer((await h.create(admin)).token), body: {} }]],
  rate_limited: async () => {
    const ask: Ask = { actor: { ...admin, id: 'busy' } }
    return [
      ['GET', '/scopes', ask],
      ['GET', '/scopes', ask],
      ['GET', '/scopes', ask],
    ]
  },
}

/** Codes that the management API never returns, or that are recorded elsewhere, with the reason. */
const elsewhere: { readonly [Name in Code]?: string } = {
  credential_missing: 'no caller was identified, and no token was requested',
  credential_malformed: 'not a credential',
  token_malformed: 'nobody’s token',
  token_unknown: 'nobody’s token',
  token_invalid: 'the public code of the three above',
  secret_mismatch: 'token.refused, in the trail of the token',
  token_inactive: 'token.refused',
  token_expired: 'token.refused',
  token_not_yet_valid: 'token.refused',
  token_revoked: 'token.refused',
  owner_denied: 'token.refused',
  ip_denied: 'token.refused',
  resource_denied: 'token.refused, for the routes of a host',
  store_unavailable: 'a fault, reported to onError',
  store_moving: 'a fault, reported to onError, and there is nowhere to write it',
  closed: 'a fault, reported to onError',
  misconfigured: 'a fault in the host, reported by a diagnostic',
  method_not_allowed: 'a request that asks for nothing',
  not_acceptable: 'a request that asks for nothing',
  conflict: 'lost a race, or the version is stale',
  idempotency_key_reused: 'bad input',
  payload_too_large: 'bad input',
  media_type_unsupported: 'bad input',
  invalid_input: 'bad input',
}

const limits = { limits: [{ name: 'calls', limiter: new RateLimiterMemory({ points: 2, duration: 60 }) }], onFailure: 'refuse' as const }

async function refusedOf(h: Harness): Promise<readonly AuditEvent[]> {
  await h.tokens.flush()
  return (await h.tokens.as(superadmin).events({ action: 'management.refused' })).items
}

describe('every code of the vocabulary', () => {
  it('every code is listed, either as recorded in management.refused or with the reason why it is not', () => {
    expect([...Object.keys(traced), ...Object.keys(elsewhere)].sort()).toEqual(Object.keys(CODES).sort())
  })

  it.each(Object.entries(traced))('a %s refusal records a management.refused event', async (code, refusing) => {
    const h = harness({ maxTokens: { perOwner: 1 } }, code === 'rate_limited' ? { rateLimit: limits } : {})
    let status = 0
    for (const [method, path, ask] of await refusing(h)) status = (await h.call(method, path, ask)).status
    expect(status).toBe(CODES[code as Code])
    await expect.poll(async () => (await refusedOf(h)).map((event) => event.code)).toContain(code)
  })
})

describe('one token too many', () => {
  it.each(['perOwner', 'perTenant'] as const)(
    'a creation beyond the limit is recorded in the tenant, whichever actor attempted it: %s',
    async (cap) => {
      const h = harness({ maxTokens: { [cap]: 1 } })
      await h.create(user, AS_USED)
      await expect(h.tokens.system.create({ name: 'x', ...AS_USED, scopes: ['inventory:read'] })).rejects.toMatchObject({
        code: 'token_limit_reached',
      })
      await expect(h.tokens.as(user).create({ name: 'x', ...AS_USED, scopes: ['inventory:read'] })).rejects.toMatchObject({
        code: 'token_limit_reached',
      })
      await h.tokens.flush()
      const { items } = await h.tokens.as(admin).events({ action: 'management.refused' })
      expect(items.map(({ actorId, tenantId, details }) => [actorId, tenantId, details?.attempt, details?.field]).sort()).toEqual([
        ['system', 'acme', 'create', cap === 'perOwner' ? 'ownerId' : 'tenantId'],
        ['uma', 'acme', 'create', cap === 'perOwner' ? 'ownerId' : 'tenantId'],
      ])
    },
  )

  it('an update beyond the limit is recorded with the token', async () => {
    let now = Date.now()
    const h = harness({ maxTokens: { perOwner: 1 }, clock: () => now })
    const old = await h.create(user, { ...AS_USED, expiresIn: 60 })
    now += 60_000
    await h.create(user, AS_USED)
    await expect(h.tokens.as(user).update(old.id, { expiresIn: 60 })).rejects.toMatchObject({ code: 'token_limit_reached' })
    await h.tokens.flush()
    expect((await h.tokens.as(admin).events({ tokenId: old.id, action: 'management.refused' })).items).toMatchObject([
      { actorId: 'uma', code: 'token_limit_reached', tenantId: 'acme', details: { attempt: 'update' } },
    ])
  })
})
