import type { Limiter } from 'latchkey'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { instance, mint, principalOf, until, verdict, warm } from '../latchkey/harness.js'
import { limited, perToken, syncLimiter } from './support.js'

const OVER = ['ok', 'ok', 'rate_limited']

describe('a limit', () => {
  it('a limit by token counts each token separately and reports its state', async () => {
    const tokens = limited([perToken(2)])
    const [one, two] = await Promise.all([mint(tokens), mint(tokens)])
    const first = await tokens.verify(one.token)
    expect(first.rates).toEqual([{ name: 'token', limit: 2, remaining: 1, resetSeconds: 60, windowSeconds: 60 }])
    expect(await verdict(tokens.verify(one.token))).toBe('ok')
    const third = await tokens.verify(one.token)
    expect(third).toMatchObject({ ok: false, code: 'rate_limited', rates: [{ name: 'token', limit: 2, remaining: 0 }] })
    expect(third.ok || third.retryAfterSeconds).toBe(third.rates?.[0]?.resetSeconds)
    expect(await verdict(tokens.verify(two.token))).toBe('ok')
  })

  it("a limit by owner counts an owner's tokens together, distinguishes case, and ignores tokens without an owner", async () => {
    const tokens = limited([{ ...perToken(2), by: 'owner' }])
    const [one, two, other, none] = await Promise.all([
      mint(tokens, { ownerId: 'Bo Ångström' }),
      mint(tokens, { ownerId: 'Bo Ångström' }),
      mint(tokens, { ownerId: 'bo Ångström' }),
      mint(tokens),
    ])
    expect([
      await verdict(tokens.verify(one.token)),
      await verdict(tokens.verify(two.token)),
      await verdict(tokens.verify(one.token)),
    ]).toEqual(OVER)
    expect(await verdict(tokens.verify(other.token))).toBe('ok')
    expect(await Promise.all([1, 2, 3].map(() => verdict(tokens.verify(none.token))))).toEqual(['ok', 'ok', 'ok'])
  })

  it("a limit by tenant counts the tenant's tokens together", async () => {
    const tokens = limited([{ ...perToken(2), by: 'tenant' }])
    const [one, two] = await Promise.all([mint(tokens, { tenantId: 't1' }), mint(tokens, { tenantId: 't1' })])
    expect([
      await verdict(tokens.verify(one.token)),
      await verdict(tokens.verify(two.token)),
      await verdict(tokens.verify(one.token)),
    ]).toEqual(OVER)
  })

  it('a limit admits exactly as many of 200 parallel uses as it has points', async () => {
    const tokens = limited([perToken(50)])
    const { token } = await mint(tokens)
    const verdicts = await Promise.all(Array.from({ length: 200 }, () => verdict(tokens.verify(token))))
    expect(verdicts.filter((word) => word === 'ok')).toHaveLength(50)
    expect(verdicts.filter((word) => word === 'rate_limited')).toHaveLength(150)
  })

  it("a limit can depend on the principal's metadata or an async function", async () => {
    const points = async ({ metadata }: { readonly metadata?: { readonly [name: string]: unknown } }): Promise<number | undefined> =>
      typeof metadata?.perMinute === 'number' ? metadata.perMinute : undefined
    const tokens = limited([{ ...perToken(2), points }])
    const [plain, more, none] = await Promise.all([
      mint(tokens),
      mint(tokens, { metadata: { perMinute: 4 } }),
      mint(tokens, { metadata: { perMinute: 0 } }),
    ])
    const allowed = async (token: string): Promise<number> => {
      const verdicts = await Promise.all(Array.from({ length: 6 }, () => verdict(tokens.verify(token))))
      return verdicts.filter((word) => word === 'ok').length
    }
    expect([await allowed(plain.token), await allowed(more.token), await allowed(none.token)]).toEqual([2, 4, 0])
  })

  it('a refusal by a limit is recorded in usage and in the audit log', async () => {
    const tokens = limited([perToken(1)])
    const { token, record } = await mint(tokens)
    await tokens.verify(token)
    await tokens.verify(token)
    await until(async () => (await tokens.system.usage(record.id)).refused === 1)
    const usage = await tokens.system.usage(record.id)
    expect([usage.total, usage.outcomes]).toEqual([
      1,
      [
        { outcome: 'allowed', count: 1 },
        { outcome: 'rate_limited', count: 1 },
      ],
    ])
    await until(async () => (await tokens.system.events({ tokenId: record.id, action: 'token.refused' })).items[0]?.code === 'rate_limited')
  })
})

describe('refused uses spend nothing', () => {
  it('a use refused as inactive, revoked, malformed or from a wrong address does not count against the rate limit', async () => {
    const limiter = syncLimiter(5)
    const tokens = limited([{ name: 'token', by: 'token', limiter }])
    const [inactive, revoked, bound] = await Promise.all([mint(tokens), mint(tokens), mint(tokens, { allowedIps: ['10.0.0.1'] })])
    await tokens.system.deactivate(inactive.record.id)
    await tokens.system.revoke(revoked.record.id)
    expect(await verdict(tokens.verify(inactive.token))).toBe('token_inactive')
    expect(await verdict(tokens.verify(revoked.token))).toBe('token_revoked')
    expect(await verdict(tokens.verify(bound.token, { ip: '10.0.0.2' }))).toBe('ip_denied')
    expect(await verdict(tokens.verify(`${bound.token.slice(0, -1)}_`))).toBe('token_malformed')
    expect([...limiter.counts]).toEqual([])
  })

  it('a use refused because the owner is gone does not count against the rate limit', async () => {
    const limiter = syncLimiter(5)
    const tokens = limited([{ name: 'token', by: 'token', limiter }], { owner: () => null })
    const { token } = await mint(tokens, { ownerId: 'bo' })
    expect(await verdict(tokens.verify(token))).toBe('owner_denied')
    expect([...limiter.counts]).toEqual([])
  })

  it('a use refused by one limit does not count against the limits before and after it', async () => {
    const [first, second, third] = [syncLimiter(10), syncLimiter(1), syncLimiter(10)]
    const tokens = limited([
      { name: 'first', by: 'token', limiter: first },
      { name: 'second', by: 'owner', limiter: second },
      { name: 'third', by: 'tenant', limiter: third },
    ])
    const { token } = await mint(tokens, { ownerId: 'bo', tenantId: 't1' })
    expect(await verdict(tokens.verify(token))).toBe('ok')
    const refused = await tokens.verify(token)
    expect(refused).toMatchObject({ ok: false, code: 'rate_limited' })
    await Promise.all(Array.from({ length: 5 }, () => tokens.verify(token)))
    expect(refused.rates?.map(({ name, remaining }) => [name, remaining])).toEqual([
      ['first', 9],
      ['second', 0],
    ])
    expect([[...first.counts.values()], [...third.counts.values()]]).toEqual([[1], [1]])
  })

  it('a use refused for a missing scope is refunded once', async () => {
    const limiter = syncLimiter(5)
    const tokens = limited([{ name: 'token', by: 'token', limiter }])
    const { token } = await mint(tokens)
    const principal = await principalOf(deciderOf(tokens).decide(token))
    expect([...limiter.counts.values()]).toEqual([1])
    deciderOf(tokens).countUse(principal, { outcome: 'scope_insufficient' })
    deciderOf(tokens).countUse(principal, { outcome: 'scope_insufficient' })
    const own = () => [...limiter.counts].filter(([key]) => !key.endsWith(':refused')).map(([, count]) => count)
    expect(own()).toEqual([0])
    const used = await principalOf(deciderOf(tokens).decide(token))
    deciderOf(tokens).countUse(used, { outcome: 'allowed' })
    expect(own()).toEqual([1])
  })

  it('a token that keeps requesting forbidden resources does not use up its rate limit', async () => {
    const tokens = limited([perToken(3)])
    const { token } = await mint(tokens)
    for (let tries = 0; tries < 10; tries += 1) {
      deciderOf(tokens).countUse(await principalOf(deciderOf(tokens).decide(token)), { outcome: 'resource_denied' })
    }
    expect(await verdict(tokens.verify(token))).toBe('ok')
  })
})

it('a refused use is not refunded shortly before its window ends', async () => {
  const limiter = syncLimiter(5)
  const ending = { ...limiter, consume: (key: string, by: number) => ({ ...limiter.penalty(key, by, {}), msBeforeNext: 50 }) }
  const tokens = limited([{ name: 'token', by: 'token', limiter: ending as Limiter }])
  const { token } = await mint(tokens)
  deciderOf(tokens).countUse(await principalOf(deciderOf(tokens).decide(token)), { outcome: 'scope_insufficient' })
  expect([...limiter.counts].find(([key]) => !key.endsWith(':refused'))?.[1]).toBe(1)
})

it('a use refused by a limit with a points function does not count against that limit, however often it is retried', async () => {
  const limiter = syncLimiter(5)
  const tokens = limited([{ name: 'token', by: 'token', limiter, points: () => 2 }])
  const { token } = await mint(tokens)
  for (const expected of ['ok', 'ok', 'rate_limited', 'rate_limited', 'rate_limited']) {
    expect(await verdict(tokens.verify(token))).toBe(expected)
  }
  expect([...limiter.counts.values()]).toEqual([2])
})

it("a quota's count outlives its period, so a node with a slow clock still finds it", async () => {
  const limiter = syncLimiter(5)
  const lifetimes: (number | undefined)[] = []
  const penalty: Limiter['penalty'] = (key, by, options) => {
    lifetimes.push(options.customDuration)
    return limiter.penalty(key, by, options)
  }
  const now = Date.parse('2026-11-22T12:00:00Z')
  const tokens = limited([{ name: 'daily', by: 'token', limiter: { ...limiter, penalty }, refill: 'day' }], { clock: () => now })
  await tokens.verify((await mint(tokens)).token)
  expect(lifetimes).toEqual([12 * 3600 + 3600])
})

describe('one request counts once', () => {
  it('a second decision about the same request does not count again, except for another token', async () => {
    const limiter = syncLimiter(5)
    const tokens = limited([{ name: 'token', by: 'token', limiter }])
    const [one, two] = await Promise.all([mint(tokens), mint(tokens)])
    const admitted = await principalOf(deciderOf(tokens).decide(one.token))
    expect(await verdict(deciderOf(tokens).decide(one.token, { admitted }))).toBe('ok')
    expect([...limiter.counts.values()]).toEqual([1])
    expect(await verdict(deciderOf(tokens).decide(two.token, { admitted }))).toBe('ok')
    expect([...limiter.counts.values()]).toEqual([1, 1])
  })

  it('a forged principal does not bypass rate limits', async () => {
    const limiter = syncLimiter(5)
    const tokens = limited([{ name: 'token', by: 'token', limiter }])
    const { token } = await mint(tokens)
    const admitted = { ...(await principalOf(deciderOf(tokens).decide(token))) }
    await deciderOf(tokens).decide(token, { admitted: admitted as never })
    expect([...limiter.counts.values()]).toEqual([2])
  })
})

it('a decision is synchronous with a synchronous limiter', async () => {
  const tokens = limited([{ name: 'token', by: 'token', limiter: syncLimiter(1000) }])
  const { token } = await mint(tokens)
  await warm(tokens, token)
  expect(deciderOf(tokens).decide(token)).toMatchObject({ ok: true, rates: [{ name: 'token' }] })
})

it('without the rateLimit option nothing is counted and no rates are reported', async () => {
  const tokens = instance()
  const { token } = await mint(tokens)
  expect(await tokens.verify(token)).not.toHaveProperty('rates')
})

it("the limiter's own options apply: blockDuration outlasts the window", async () => {
  const limiter = new RateLimiterMemory({ points: 1, duration: 1, blockDuration: 600 })
  const tokens = limited([{ name: 'token', by: 'token', limiter }])
  const { token } = await mint(tokens)
  await tokens.verify(token)
  const refused = await tokens.verify(token)
  expect(refused).toMatchObject({ ok: false, code: 'rate_limited', retryAfterSeconds: 600 })
})
