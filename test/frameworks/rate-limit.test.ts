import { type Latchkey, latchkey, type RateLimitOptions } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { HttpHarness, SiteRoute } from '../http-contract/types.js'
import { harnesses } from '../support/http/harnesses.js'

type Site = {
  readonly tokens: Latchkey
  readonly token: string
  readonly get: (path: string) => Promise<Response>
  readonly ran: () => number
}

async function open(harness: HttpHarness, rateLimit: RateLimitOptions): Promise<Site> {
  const tokens: Latchkey = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'a:read': 'Read', 'a:write': 'Write' },
    deadline: 0.2,
    rateLimit,
  })
  const { token } = await tokens.system.create({ name: 'made', scopes: ['a:read'] })
  let ran = 0
  const route = (path: string, scope: string): SiteRoute => ({
    method: 'GET',
    path,
    guarded: true,
    nested: false,
    requirement: () => [scope],
    answer: async () => {
      ran += 1
      return {}
    },
  })
  const running = await harness.start({
    tokens,
    options: {},
    trustProxy: false,
    routes: [route('/api/read', 'a:read'), route('/api/write', 'a:write')],
  })
  onTestFinished(async () => {
    await running.close()
    await tokens.close()
  })
  const get = (path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${running.port}${path}`, { headers: { authorization: `Bearer ${token}` } })
  return { tokens, token, get, ran: () => ran }
}

const perToken = (points: number): RateLimitOptions => ({
  limits: [
    { name: 'token', by: 'token', limiter: new RateLimiterMemory({ points, duration: 60 }) },
    { name: 'daily', by: 'token', limiter: new RateLimiterMemory({ points: 1000, duration: 86_400 }), refill: 'day' },
  ],
  onFailure: 'refuse',
})

describe.each(harnesses.map((harness) => [harness.name, harness] as const))('%s with rate limits', (_name, harness) => {
  it('a request beyond the limit gets a 429 with Retry-After and RateLimit fields, and no handler runs', async () => {
    const site = await open(harness, perToken(2))
    expect([(await site.get('/api/read')).status, (await site.get('/api/read')).status]).toEqual([200, 200])
    const refused = await site.get('/api/read')
    const seconds = Number(refused.headers.get('retry-after'))
    expect(refused.status).toBe(429)
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(60)
    expect(refused.headers.get('ratelimit')).toBe(`"token";r=0;t=${seconds}`)
    expect(refused.headers.get('ratelimit-policy')).toBe('"token";q=2;w=60')
    expect(refused.headers.get('www-authenticate')).toBeNull()
    expect(await refused.json()).toMatchObject({ status: 429, code: 'rate_limited' })
    expect(site.ran()).toBe(2)
  })

  it("requests refused for a missing scope do not count toward the token's rate limit", async () => {
    // A limit above 1, because each request takes a point that is refunded when its response ends.
    const site = await open(harness, perToken(4))
    const statuses = new Set<number>()
    for (let tries = 0; tries < 20; tries += 1) statuses.add((await site.get('/api/write')).status)
    // Refusals have a separate budget.
    expect([...statuses]).toEqual([403, 429])
    expect((await site.get('/api/read')).status).toBe(200)
  })

  it('a failing limiter causes a 503 or is ignored, depending on onFailure', async () => {
    const failing = {
      points: 5,
      duration: 60,
      consume: () => Promise.reject(new Error('down')),
      penalty: () => Promise.reject(new Error('down')),
      reward: () => Promise.reject(new Error('down')),
    }
    const limits = [{ name: 'token', by: 'token', limiter: failing }] as const
    const refusing = await open(harness, { limits, onFailure: 'refuse' })
    const refused = await refusing.get('/api/read')
    expect([refused.status, refused.headers.get('retry-after'), refusing.ran()]).toEqual([503, '1', 0])
    const allowing = await open(harness, { limits, onFailure: 'allow' })
    expect((await allowing.get('/api/read')).status).toBe(200)
  })
})
