import type { Actor, ExplainInput, Latchkey, LatchkeyOptions, OwnerPermissions } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { createGuard } from '../../src/http/authenticate.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { type FakeRequest, fakePlatform } from '../http/fake.js'
import { instance, mint, refusal, type Scope, verdict } from '../latchkey/harness.js'
import { fc } from '../support/property.js'

const T0 = Date.UTC(2030, 0, 1)
const DAY = 86_400_000

/** An instance whose clock the test sets. */
function timed(options: Partial<LatchkeyOptions<Scope>> = {}) {
  const time = { now: T0 }
  const tokens = instance({ clock: () => time.now, usage: false, ...options })
  return { tokens, time }
}

const stepsOf = async (tokens: Latchkey<Scope>, id: string, input?: ExplainInput) =>
  Object.fromEntries((await tokens.system.explain(id, input)).steps.map((step) => [step.step, step]))

describe('explain() at the current time', () => {
  it('an explanation contains every step in the order of the decision, with the facts that decide it', async () => {
    const { tokens } = timed()
    const { record } = await mint(tokens, { allowedIps: ['10.0.0.0/8', '192.0.2.7'], expiresIn: '1d', resources: { warehouse: ['w1'] } })
    const explained = await tokens.system.explain(record.id, { ip: '192.0.2.7', scope: 'stock:read', resources: { warehouse: 'w1' } })
    expect(explained).toEqual({
      tokenId: record.id,
      at: new Date(T0),
      ok: true,
      steps: [
        { step: 'record', ok: true, createdAt: new Date(T0) },
        { step: 'revoked', ok: true },
        { step: 'inactive', ok: true },
        { step: 'not_before', ok: true },
        { step: 'expired', ok: true, expiresAt: new Date(T0 + DAY) },
        { step: 'address', ok: true, ip: '192.0.2.7', allowedIps: ['10.0.0.0/8', '192.0.2.7'], allowedBy: '192.0.2.7' },
        { step: 'owner', ok: true },
        { step: 'rate', ok: true },
        { step: 'scopes', ok: true, scopes: [{ scope: 'stock:read', exists: true, held: true, grants: ['stock:read'] }] },
        { step: 'resources', ok: true, resources: [{ dimension: 'warehouse', asked: ['w1'], missing: [] }] },
      ],
    })
  })

  it('an explanation also covers the steps after a refusal, and reports the first refusal as the code', async () => {
    const { tokens, time } = timed()
    const { record } = await mint(tokens, { allowedIps: ['10.0.0.0/8'], expiresIn: 60 })
    time.now += DAY
    await tokens.system.revoke(record.id, { reason: 'laptop lost' })
    const explained = await tokens.system.explain(record.id, { ip: '192.0.2.7', scope: 'billing:read' })
    expect(explained).toMatchObject({ ok: false, code: 'token_revoked' })
    expect(explained.steps.filter(({ ok }) => ok === false)).toMatchObject([
      { step: 'revoked', code: 'token_revoked', revokedBy: 'system', revokedCode: 'manual', revokedReason: 'laptop lost' },
      { step: 'expired', code: 'token_expired', expiresAt: new Date(T0 + 60_000) },
      { step: 'address', code: 'ip_denied', ip: '192.0.2.7', allowedIps: ['10.0.0.0/8'] },
      { step: 'scopes', code: 'scope_insufficient' },
    ])
  })

  it('an explanation names the grant, group, implication or owner that provides a scope, and what would grant a missing scope', async () => {
    const owners: Record<string, OwnerPermissions | null> = { ada: { scopes: ['stock:read'] } }
    const { tokens } = timed({
      groups: { staff: ['stock:*'] },
      implies: { 'stock:write': ['billing:read'] },
      owner: ({ ownerId }) => owners[ownerId] ?? null,
    })
    const { record } = await mint(tokens, { scopes: ['@staff'], ownerId: 'ada' })
    const scope = ['stock:read', 'stock:write', 'billing:read', 'gone:read']
    const { scopes } = await stepsOf(tokens, record.id, { scope })
    expect(scopes).toEqual({
      step: 'scopes',
      ok: false,
      code: 'scope_insufficient',
      scopes: [
        { scope: 'stock:read', exists: true, held: true, grants: ['@staff'], owner: true },
        { scope: 'stock:write', exists: true, held: false, grants: ['@staff'], owner: false },
        { scope: 'billing:read', exists: true, held: false, grants: ['@staff'], owner: false },
        { scope: 'gone:read', exists: false, held: false, grants: [], owner: false, givenBy: [] },
      ],
    })
    const plain = await mint(tokens, { scopes: ['stock:read'] })
    const missing = await stepsOf(tokens, plain.record.id, { scope: 'billing:read' })
    expect(missing.scopes?.scopes).toEqual([
      {
        scope: 'billing:read',
        exists: true,
        held: false,
        grants: [],
        givenBy: ['billing:read', 'stock:write', '@staff', 'billing:*'],
      },
    ])
    owners.ada = null
    expect(await tokens.system.explain(record.id, { scope: 'stock:read' })).toMatchObject({ ok: false, code: 'owner_denied' })
  })

  it('an explanation reports that the scope of an inheriting token comes from its owner', async () => {
    const { tokens } = timed({ owner: () => ({ scopes: ['billing:read'], resources: { warehouse: ['w1'] } }) })
    const { record } = await tokens.system.create({ name: 'laptop', ownerId: 'ada', inherit: true })
    const asked = { scope: 'billing:read', resources: { warehouse: ['w1', 'w2'] } }
    expect(await tokens.system.explain(record.id, asked)).toMatchObject({ ok: false, code: 'resource_denied' })
    const { scopes, resources } = await stepsOf(tokens, record.id, asked)
    expect(scopes).toMatchObject({ ok: true, scopes: [{ held: true, grants: [], owner: true }] })
    expect(resources).toMatchObject({ ok: false, resources: [{ dimension: 'warehouse', asked: ['w1', 'w2'], missing: ['w2'] }] })
  })

  it('an explanation reports an outage if the owner cannot be looked up, as a verification does', async () => {
    const { tokens } = timed({ owner: () => Promise.reject(new Error('down')) })
    const { token, record } = await mint(tokens, { ownerId: 'ada' })
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    expect(await tokens.system.explain(record.id, { scope: 'stock:read' })).toMatchObject({ ok: false, code: 'store_unavailable' })
  })

  it('an explanation leaves a step undecided if deciding it would count a use, or if input for it is missing', async () => {
    const limiter = { points: 1, duration: 60, consume: () => counted(), penalty: () => counted(), reward: () => counted() }
    const counted = (): never => {
      throw new Error('explain counted a use')
    }
    const { tokens } = timed({ rateLimit: { limits: [{ name: 'burst', by: 'token', limiter }], onFailure: 'refuse' } })
    const { record } = await mint(tokens, { allowedIps: ['10.0.0.0/8'] })
    const explained = await tokens.system.explain(record.id)
    expect(explained.ok).toBeUndefined()
    expect(explained.steps.filter(({ ok }) => ok === undefined)).toEqual([
      { step: 'address', unknown: 'not_given', allowedIps: ['10.0.0.0/8'] },
      { step: 'rate', unknown: 'not_counted', limits: ['burst'] },
    ])
  })

  it('an explanation reports the state of rate limits without using them up', async () => {
    const { tokens, time } = timed({
      rateLimit: {
        limits: [
          {
            name: 'burst',
            by: 'token',
            limiter: new RateLimiterMemory({ points: 2, duration: 60 }),
            points: ({ tenantId }) => (tenantId ? 2 : 5),
          },
          { name: 'daily', by: 'tenant', limiter: new RateLimiterMemory({ points: 9, duration: 0 }), refill: 'day' },
        ],
        onFailure: 'refuse',
      },
    })
    const { token, record } = await mint(tokens, { tenantId: 't1' })
    const rate = async () => (await tokens.system.explain(record.id)).steps.find(({ step }) => step === 'rate')
    const day = { name: 'daily', limit: 9, windowSeconds: 86_400, resetSeconds: 86_400 }
    const [burst, daily] = [
      { name: 'burst', limit: 2, remaining: 2, windowSeconds: 60 },
      { ...day, remaining: 9 },
    ]
    expect(await rate()).toEqual({ step: 'rate', ok: true, limits: ['burst', 'daily'], rates: [burst, daily] })
    for (let uses = 0; uses < 2; uses += 1) expect(await verdict(tokens.verify(token))).toBe('ok')
    const spent = {
      ok: false,
      code: 'rate_limited',
      rates: [
        { ...burst, remaining: 0 },
        { ...day, remaining: 7 },
      ],
    }
    for (let asked = 0; asked < 3; asked += 1) expect(await rate()).toMatchObject(spent)
    expect(await verdict(tokens.verify(token))).toBe('rate_limited')
    time.now += DAY
    expect((await rate())?.rates?.[1]).toEqual(daily)
  })

  it.each(['refuse', 'allow'] as const)(
    'an explanation treats a failing rate limiter as a verification with onFailure set to %s does',
    async (onFailure) => {
      const failing = (): never => {
        throw new Error('the limiter is down')
      }
      const limiter = { points: 1, duration: 60, consume: failing, penalty: failing, reward: failing, get: failing }
      const { tokens } = timed({ rateLimit: { limits: [{ name: 'burst', by: 'token', limiter }], onFailure }, logger: false })
      const { token, record } = await mint(tokens)
      const { ok, code } = await tokens.system.explain(record.id)
      expect(await verdict(tokens.verify(token))).toBe(ok === true ? 'ok' : code)
      expect(ok).toBe(onFailure === 'allow')
    },
  )

  it('explain() reads from the primary, counts nothing, and writes nothing', async () => {
    const store = memoryStore()
    const tokens = instance({ store })
    const other = instance({ store })
    const { record } = await mint(tokens)
    await tokens.system.explain(record.id, { scope: 'billing:read' })
    await other.system.revoke(record.id)
    expect(await tokens.system.explain(record.id)).toMatchObject({ ok: false, code: 'token_revoked' })
    await tokens.flush()
    expect((await tokens.system.usage(record.id)).refused).toBe(0)
    expect((await tokens.system.events({ tokenId: record.id })).items.map(({ action }) => action)).toEqual([
      'token.revoked',
      'token.created',
    ])
  })
})

describe('the input of explain', () => {
  it('explain() refuses invalid input, and explains only tokens that the actor can see', async () => {
    const { tokens } = timed()
    const { token, record } = await mint(tokens, { tenantId: 't1' })
    const bad: readonly (readonly [unknown, string])[] = [
      [{ at: T0 + 1 }, 'invalid_input at'],
      [{ at: 'yesterday' }, 'invalid_input at'],
      [{ scope: 'stock:*' }, 'invalid_input scope'],
      [{ scope: [] }, 'invalid_input scope'],
      [{ resources: { warehouse: ['w1'] } }, 'invalid_input resources'],
      [{ scope: 'stock:read', resources: { warehouse: 1 } }, 'invalid_input resources.warehouse'],
      [{ ip: 'localhost' }, 'invalid_input ip'],
      [{ at: undefined }, 'invalid_input at'],
      [{ scope: undefined }, 'invalid_input scope'],
      [{ scope: 'stock:read', resources: undefined }, 'invalid_input resources'],
      [{ ip: undefined }, 'invalid_input ip'],
      [{ endpoint: '/x' }, 'invalid_input endpoint'],
    ]
    for (const [input, answer] of bad) expect(await refusal(tokens.system.explain(record.id, input as never))).toBe(answer)
    expect(await refusal(tokens.system.explain(token))).toBe('invalid_input id')
    const stranger: Actor = { id: 'eve', tenants: ['t2'], manages: 'all' }
    const colleague: Actor = { id: 'bob', tenants: ['t1'], manages: 'own' }
    for (const actor of [stranger, colleague]) {
      expect(await refusal(tokens.as(actor).explain(record.id))).toBe('not_found undefined')
      expect(await refusal(tokens.as(actor).explain('AAAAAAAAAAAAAAAA'))).toBe('not_found undefined')
    }
    expect((await tokens.as({ ...stranger, tenants: ['t1'] }).explain(record.id)).ok).toBe(true)
  })
})

const scope = fc.constantFrom<Scope>('stock:read', 'stock:write', 'billing:read')
const grants = fc.uniqueArray(fc.constantFrom('stock:read', 'stock:*', 'billing:read', '@staff'), { maxLength: 3 })
const warehouses = fc.uniqueArray(fc.constantFrom('w1', 'w2', 'w3'), { maxLength: 2 })
const resources = fc.option(fc.record({ warehouse: warehouses }), { nil: undefined })
const offset = fc.constantFrom(undefined, -2, 0, 2)

const cases = fc.record({
  scopes: grants,
  resources,
  allowedIps: fc.constantFrom(undefined, [], ['10.0.0.0/8'], ['192.0.2.0/24', '2001:db8::/32']),
  notBefore: offset,
  expiresIn: fc.constantFrom(undefined, 1, 3),
  owner: fc.constantFrom(undefined, 'gone', 'reader', 'limited', 'all'),
  end: fc.constantFrom('none', 'none', 'none', 'deactivate', 'revoke', 'revokeAll', 'rotate', 'overlap'),
  later: fc.constantFrom(0, 1, 2, 3),
  mode: fc.constantFrom('implicit', 'explicit'),
  ip: fc.constantFrom('10.1.2.3', '192.0.2.9', '2001:db8::1', '::ffff:10.0.0.1'),
  asked: fc.uniqueArray(scope, { minLength: 1, maxLength: 2 }),
  named: fc.option(fc.record({ warehouse: fc.uniqueArray(fc.constantFrom('w1', 'w2', 'w3'), { minLength: 1, maxLength: 2 }) }), {
    nil: undefined,
  }),
})

const ALL: OwnerPermissions = { scopes: ['stock:read', 'stock:write', 'billing:read'] }
const OWNERS: ReadonlyMap<string, OwnerPermissions> = new Map([
  ['reader', { scopes: ['stock:read'] }],
  ['limited', { ...ALL, resources: { warehouse: ['w1'], zone: ['north'] } }],
  ['all', ALL],
])

/** The outcome of a real request with the token: through the guard and the scope check of the route. */
async function real(tokens: Latchkey<Scope>, token: string, ip: string, args: readonly unknown[]): Promise<string> {
  const request: FakeRequest = { headers: ['Authorization', `Bearer ${token}`], ip }
  const outcome = await createGuard(tokens, { onWarning: () => undefined }, fakePlatform(true))(request)
  const response = outcome.response ?? (await createScopeCheck(args)(request))
  return response === undefined ? 'ok' : String(JSON.parse(response.body).code)
}

describe('an explanation', () => {
  it('an explanation matches exactly what a real request gets, whatever the token and the request', async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(cases, async (given) => {
        let permissions: OwnerPermissions | null = ALL
        const { tokens, time } = timed({
          groups: { staff: ['stock:*'] },
          implies: { 'stock:write': ['billing:read'] },
          resources: given.mode as 'implicit',
          owner: () => permissions,
        })
        const { token, record } = await mint(tokens, {
          scopes: given.scopes as Scope[],
          tenantId: 't1',
          ...(given.owner !== undefined && { ownerId: 'ada' }),
          ...(given.resources !== undefined && { resources: given.resources }),
          ...(given.allowedIps !== undefined && { allowedIps: given.allowedIps }),
          ...(given.notBefore !== undefined && { notBefore: T0 + given.notBefore * DAY }),
          ...(given.expiresIn !== undefined && { expiresAt: T0 + (Math.max(given.notBefore ?? 0, 0) + given.expiresIn) * DAY }),
        })
        const act = {
          none: () => undefined,
          deactivate: () => tokens.system.deactivate(record.id),
          revoke: () => tokens.system.revoke(record.id),
          revokeAll: () => tokens.system.revokeAll({ tenantId: 't1' }),
          rotate: () => tokens.system.rotate(record.id),
          overlap: () => tokens.system.rotate(record.id, { overlap: '1d' }),
        }
        await act[given.end as 'none']()
        permissions = OWNERS.get(given.owner ?? '') ?? null
        time.now = T0 + given.later * DAY
        const asked = { ip: given.ip, scope: given.asked, ...(given.named !== undefined && { resources: given.named }) }
        const explained = await tokens.system.explain(record.id, asked)
        const got = await real(tokens, token, given.ip, [...given.asked, ...(given.named === undefined ? [] : [given.named])])
        seen.add(got)
        expect(explained.ok === true ? 'ok' : explained.code).toBe(got)
        expect(explained.steps.every(({ ok, code }) => (ok === false) === (code !== undefined))).toBe(true)
      }),
      { numRuns: 300 },
    )
    expect([...seen].sort()).toEqual([
      'ip_denied',
      'ok',
      'owner_denied',
      'resource_denied',
      'scope_insufficient',
      'token_expired',
      'token_inactive',
      'token_not_yet_valid',
      'token_revoked',
    ])
  })
})
