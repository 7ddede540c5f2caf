import { type Latchkey, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, requireScopes } from 'latchkey/web'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'

const request = (token: string): Request => new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })

const limited = (points: number): Latchkey<'a'> =>
  latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { a: 'b' },
    logger: false,
    rateLimit: { limits: [{ name: 'token', by: 'token', limiter: new RateLimiterMemory({ points, duration: 60 }) }], onFailure: 'refuse' },
  })

describe('a use that ends without a decision', () => {
  it.each([
    ['at once', () => 'throws'],
    ['later', async () => 'throws'],
  ])('a use whose resource function fails %s is refunded and not counted, and such lookups are bounded', async (_when, answer) => {
    const tokens = limited(2)
    const { token, record } = await tokens.system.create({ name: 'x', scopes: ['a'] })
    let lookups = 0
    const fail = (): string | Promise<string> => {
      lookups += 1
      const settled = answer()
      if (typeof settled !== 'string') return settled.then(() => Promise.reject(new Error('the database is down')))
      throw new Error('the database is down')
    }
    const check = requireScopes('a', { warehouse: fail })
    const statuses: (number | undefined)[] = []
    for (let use = 0; use < 20; use += 1) statuses.push((await authenticate(tokens, request(token), { require: check })).response?.status)
    expect(lookups).toBeLessThan(10)
    expect(statuses.slice(0, 2)).toEqual([503, 503])
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0 })
    for (let use = 0; use < 2; use += 1) {
      expect((await authenticate(tokens, request(token), { require: requireScopes('a') })).response?.status).toBeUndefined()
    }
  })
})
