import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { dashboard } from '../../src/dashboard/index.js'
import { createGuard } from '../../src/http/authenticate.js'
import { createManagement } from '../../src/management/index.js'
import { admin, bearer, harness, MOUNT, ORIGIN, partner, superadmin } from './support.js'

const limiter = (points: number) => new RateLimiterMemory({ points, duration: 60 })
const limited = (points: number) => ({ rateLimit: { limits: [{ name: 'admin', limiter: limiter(points) }], onFailure: 'refuse' } as const })

const PLAIN = { trustsProxy: () => undefined, checksOrigin: true } as const

describe('the rate limit of the management API', () => {
  it('every route answers 429 with Retry-After and RateLimit fields beyond the limit', async () => {
    const { call } = harness({}, limited(3))
    for (const path of ['/', '/scopes', '/openapi.json']) expect((await call('GET', path, { actor: admin })).status).toBe(200)
    for (const [method, path] of [
      ['GET', '/'],
      ['POST', '/'],
      ['POST', '/revoke-all'],
      ['PATCH', '/4kQ0tXb2LrVn8ZcD'],
      ['GET', '/4kQ0tXb2LrVn8ZcD/usage'],
      ['GET', '/nowhere/at/all'],
      ['DELETE', '/'],
    ] as const) {
      const answer = await call(method, path, { actor: admin })
      expect([answer.status, answer.body.code]).toEqual([429, 'rate_limited'])
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(answer.headers.get('ratelimit-policy')).toBe('"admin";q=3;w=60')
      expect(answer.headers.get('ratelimit')).toMatch(/^"admin";r=0;t=\d+$/)
    }
  })

  it('actors are counted separately, even with the same ID in different tenants', async () => {
    const { call } = harness({}, limited(1))
    for (const actor of [admin, superadmin, partner, { ...admin, tenants: ['bolt'] }, { ...admin, tenants: '*' }]) {
      expect((await call('GET', '/', { actor })).status).toBe(200)
      expect((await call('GET', '/', { actor })).status).toBe(429)
    }
    expect((await call('GET', '/', { actor: { ...partner, tenants: ['bolt', 'acme'] } })).status).toBe(429)
  })

  it('an actor gets no new quota by combining, repeating or reordering its tenants', async () => {
    const { call } = harness({}, limited(2))
    const statuses = []
    for (const tenants of [['acme', 'bolt'], ['acme'], ['bolt', 'acme'], ['acme', 'acme'], ['core', 'bolt', 'acme']])
      statuses.push((await call('GET', '/', { actor: { ...partner, tenants } })).status)
    expect(statuses).toEqual([200, 200, 429, 429, 429])
  })

  it('an actor whose tenant is named like a keyword does not use the quota of an actor with the same ID and access to every tenant', async () => {
    const { call } = harness({}, limited(1))
    for (const tenants of [['*'], ['all'], ['own'], ['undefined'], '*'])
      expect((await call('GET', '/', { actor: { ...superadmin, tenants } })).status).toBe(200)
  })

  it('a rate-limited request is refused before its body is read', async () => {
    const { tokens, call } = harness({}, limited(1))
    await call('GET', '/', { actor: admin })
    expect((await call('GET', '/', { actor: admin })).status).toBe(429)
    let pulled = 0
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled += 1
          controller.enqueue(new TextEncoder().encode('{}'))
          controller.close()
        },
      },
      { highWaterMark: 0 },
    )
    const api = createManagement(tokens, { rateLimit: { limits: [{ name: 'admin', limiter: limiter(0) }], onFailure: 'refuse' } })
    const headers = { 'content-type': 'application/json' }
    const request = new Request(`${ORIGIN}${MOUNT}/`, { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
    expect((await api.fetch(request, { actor: admin }, MOUNT)).status).toBe(429)
    expect(pulled).toBe(0)
  })

  it.each([
    ['refuse', 503],
    ['allow', 200],
  ] as const)(
    'with an invalid clock, a quota does not count a call, and onFailure: %j determines the response',
    async (onFailure, status) => {
      let now = Date.now()
      const quota = new RateLimiterMemory({ points: 1, duration: 60 })
      const limits = [{ name: 'admin', limiter: quota, refill: 'day' }] as const
      const { call } = harness({ clock: () => now, logger: false }, { rateLimit: { limits, onFailure } })
      for (const invalid of [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1e300, -1]) {
        now = invalid
        for (const _ of [1, 2]) expect((await call('GET', '/scopes', { actor: admin })).status).toBe(status)
      }
      now = Date.now()
      expect((await call('GET', '/scopes', { actor: admin })).status).toBe(200)
      expect((await call('GET', '/scopes', { actor: admin })).status).toBe(429)
    },
  )

  it('invalid and failing calls count toward the rate limit', async () => {
    const { call } = harness({}, limited(2))
    expect((await call('POST', '/', { actor: admin, raw: '{' })).status).toBe(400)
    expect((await call('GET', '/4kQ0tXb2LrVn8ZcD', { actor: admin })).status).toBe(404)
    expect((await call('GET', '/', { actor: admin })).status).toBe(429)
  })

  it('loading the dashboard does not count toward the rate limit, and works beyond it', async () => {
    const { call } = harness({}, { ...limited(1), dashboard: dashboard() })
    const load = async () => (await call('GET', '/', { actor: admin, headers: { accept: 'text/html' } })).status
    const assets = async () => (await call('GET', '/icon.svg')).status
    expect([await load(), await load(), await assets()]).toEqual([200, 200, 200])
    expect((await call('GET', '/', { actor: admin })).status).toBe(200)
    expect((await call('GET', '/', { actor: admin })).status).toBe(429)
    expect([await load(), await assets()]).toEqual([200, 200])
  })

  it('calls to /self with a token and with its successors count against the same limit', async () => {
    const { call, create, tokens } = harness({}, limited(2))
    const { token, id } = await create(superadmin, { scopes: ['tokens:rotate-self'] })
    expect((await call('GET', '/self', { headers: bearer(token) })).status).toBe(200)
    const rotated = await call('POST', '/self/rotate', { headers: bearer(token), body: { overlap: '1h' } })
    expect(rotated.status).toBe(201)
    const beyond = await call('GET', '/self', { headers: bearer(rotated.body.token) })
    expect([beyond.status, beyond.body.code, beyond.headers.get('ratelimit-policy')]).toEqual([429, 'rate_limited', '"admin";q=2;w=60'])
    expect((await call('POST', '/self/rotate', { headers: bearer(rotated.body.token), body: {} })).status).toBe(429)
    expect((await call('GET', '/', { actor: superadmin })).status).toBe(200)
    const { outcomes } = await tokens.system.usage(rotated.body.record.id)
    expect(outcomes).toEqual([{ outcome: 'rate_limited', count: 2 }])
    expect((await tokens.system.get(id))?.replacedById).toBe(rotated.body.record.id)
  })

  it.each(['/self/rotate itself', 'a guard before it'])(
    'once a token without the scope to rotate itself has no refusals left, its rotations are refused with 429, by %s',
    async (admittedBy) => {
      const perToken = { limits: [{ name: 'token', by: 'token', limiter: limiter(2) }], onFailure: 'refuse' } as const
      const { create, tokens } = harness({ rateLimit: perToken })
      const { token, id } = await create(superadmin)
      const guard = createGuard<Request>(tokens, {}, { read: ({ method, headers }) => ({ method, headers, ip: undefined }), ...PLAIN })
      const api = createManagement(tokens)
      const rotate = async () => {
        const headers = { ...bearer(token), 'content-type': 'application/json' }
        const request = new Request(`${ORIGIN}${MOUNT}/self/rotate`, { method: 'POST', headers, body: '{}' })
        if (admittedBy === '/self/rotate itself') return api.fetch(request, { actor: undefined }, MOUNT)
        const { principal, use } = await guard(request)
        const answer = await api.fetch(request, { actor: undefined, principal, use }, MOUNT)
        use?.done('')
        return answer
      }
      const statuses = []
      for (let times = 0; times < 5; times += 1) statuses.push((await rotate()).status)
      expect(statuses).toEqual([403, 403, 403, 429, 429])
      const beyond = await rotate()
      expect(await beyond.json()).toMatchObject({ code: 'rate_limited' })
      expect(beyond.headers.get('ratelimit')).toMatch(/^"token";r=0;t=\d+$/)
      expect(Number(beyond.headers.get('retry-after'))).toBeGreaterThan(0)
      await tokens.flush()
      const { outcomes } = await tokens.system.usage(id)
      expect(outcomes).toEqual([
        { outcome: 'rate_limited', count: 3 },
        { outcome: 'scope_insufficient', count: 3 },
      ])
      const { items } = await tokens.system.events({ action: 'management.refused' })
      expect(items.map(({ code, count, actorId }) => [code, count, actorId]).sort()).toEqual([
        ['rate_limited', 3, `token:${id}`],
        ['scope_insufficient', 3, `token:${id}`],
      ])
    },
  )

  it('the points of a rate limit can depend on the actor', async () => {
    const points = ({ id }: { readonly id: string }) => (id === 'ada' ? 2 : undefined)
    const { call } = harness(
      {},
      { rateLimit: { limits: [{ name: 'admin', by: 'actor', limiter: limiter(1), points }], onFailure: 'refuse' } },
    )
    const statuses = []
    for (const actor of [admin, admin, admin, partner, partner]) statuses.push((await call('GET', '/', { actor })).status)
    expect(statuses).toEqual([200, 200, 429, 200, 429])
  })

  it.each(['refuse', 'allow'] as const)('onFailure decides what happens when the limiter fails: %s', async (onFailure) => {
    const fail = () => Promise.reject(new Error('down'))
    const broken = { points: 5, duration: 60, consume: fail, penalty: fail, reward: fail }
    const { call } = harness({}, { rateLimit: { limits: [{ name: 'admin', limiter: broken }], onFailure } })
    expect((await call('GET', '/', { actor: admin })).status).toBe(onFailure === 'refuse' ? 503 : 200)
  })

  it.each([
    [{ rateLimit: undefined }, 'rateLimit'],
    [{ rateLimit: { limits: [], onFailure: 'refuse' } }, 'rateLimit.limits'],
    [{ rateLimit: { limits: [{ name: 'a', by: 'owner', limiter: limiter(1) }], onFailure: 'refuse' } }, 'rateLimit.limits.0.by'],
    [{ rateLimit: { limits: [{ name: 'a', limiter: limiter(1) }] } }, 'rateLimit.onFailure'],
  ])('management() rejects invalid rate limit options by field name (%#)', (options, field) => {
    expect(() => harness({}, options as never)).toThrow(field)
  })
})
