import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { instance, mint, principalOf, verdict } from '../latchkey/harness.js'
import { limited, perToken, syncLimiter } from './support.js'

describe('a separate budget for refusals', () => {
  it("refusalsSpent() reports the limit once a token's refusal budget is used up", async () => {
    const tokens = limited([perToken(2)])
    const { token } = await mint(tokens)
    const { decide, countUse, refusalsSpent } = deciderOf(tokens)
    const refuseOne = async () => {
      const principal = await principalOf(decide(token))
      const spent = refusalsSpent?.(principal)
      countUse(principal, { outcome: 'resource_denied' })
      return spent
    }
    await expect.poll(refuseOne).toMatchObject({ name: 'token', remaining: 0 })
  })

  it("a token's refusals do not affect other tokens of the same owner if limits are by token", async () => {
    const tokens = limited([perToken(2)])
    const [noisy, quiet] = [await mint(tokens), await mint(tokens)]
    for (let use = 0; use < 20; use += 1) {
      const answer = await deciderOf(tokens).decide(noisy.token)
      if (answer.ok) deciderOf(tokens).countUse(answer.principal, { outcome: 'resource_denied' })
      await Promise.resolve()
    }
    expect(await verdict(tokens.verify(quiet.token))).toBe('ok')
  })

  it('refusals are counted in the limiter under a separate key, so they count on every node', async () => {
    const limiter = new RateLimiterMemory({ points: 5, duration: 60 })
    const limits = [{ name: 'token', by: 'token', limiter }] as const
    const nodes = [limited(limits), limited(limits)]
    const { token, record } = await mint(nodes[0] ?? instance())
    const answer = await deciderOf(nodes[0]).decide(token)
    if (answer.ok) deciderOf(nodes[0]).countUse(answer.principal, { outcome: 'scope_insufficient' })
    await expect.poll(async () => (await limiter.get(`token:acme_test:${record.id}:refused`))?.consumedPoints).toBe(1)
    await expect.poll(async () => (await limiter.get(`token:acme_test:${record.id}`))?.consumedPoints).toBe(0)
  })

  it('a use that is refused because the budget for refusals is used up does not count as another refusal', async () => {
    const limiter = syncLimiter(5)
    const tokens = limited([{ name: 'token', by: 'token', limiter }])
    const { token, record } = await mint(tokens)
    const { decide, countUse } = deciderOf(tokens)
    for (const outcome of ['scope_insufficient', 'rate_limited', 'rate_limited', 'allowed'] as const) {
      countUse(await principalOf(decide(token)), { outcome })
      await Promise.resolve()
    }
    const key = `token:acme_test:${record.id}`
    expect([limiter.counts.get(`${key}:refused`), limiter.counts.get(key)]).toEqual([1, 1])
  })
})

describe('a token whose owner is gone', () => {
  it.each([
    ['immediately', () => null],
    ['later', async () => null],
  ])('a token whose owner is gone causes only a bounded number of owner lookups, answered %s', async (_when, answer) => {
    let asked = 0
    const owner = () => {
      asked += 1
      return answer()
    }
    const tokens = instance({ owner })
    const { token } = await mint(tokens, { ownerId: 'bob' })
    const began = performance.now()
    const verdicts = new Set<string>()
    for (let use = 0; use < 2000; use += 1) verdicts.add(await verdict(tokens.verify(token)))
    const seconds = (performance.now() - began) / 1000
    expect([...verdicts].sort()).toEqual(['owner_denied', 'rate_limited'])
    expect(asked).toBeLessThanOrEqual(101 + 10 * seconds)
  })

  it("a token whose owner was gone does not delay the owner's other tokens", async () => {
    let gone = true
    const tokens = instance({ owner: () => (gone ? null : { scopes: ['stock:read'] }) })
    const [noisy, other] = [await mint(tokens, { ownerId: 'bob' }), await mint(tokens, { ownerId: 'bob' })]
    for (let use = 0; use < 300; use += 1) await tokens.verify(noisy.token)
    gone = false
    expect(await verdict(tokens.verify(other.token))).toBe('ok')
  })
})
