import { RateLimiterMemory } from 'rate-limiter-flexible'
import { beforeEach, expect, it, vi } from 'vitest'
import { intersectResources } from '../../src/verify/permissions.js'
import { instance, mint, verdict } from '../latchkey/harness.js'

vi.mock('../../src/verify/permissions.js', async (original) => {
  const real = await original<typeof import('../../src/verify/permissions.js')>()
  return { ...real, intersectResources: vi.fn(real.intersectResources) }
})

beforeEach(() => void vi.mocked(intersectResources).mockClear())

const owner = () => ({ scopes: ['stock:read'], resources: { warehouse: ['w1', 'w2'] } })
const limit = () => ({ name: 'minute', by: 'token' as const, limiter: new RateLimiterMemory({ points: 2, duration: 60 }) })

it("a request over a rate limit does not intersect the token's resources with its owner's resources", async () => {
  const tokens = instance({ owner, rateLimit: { onFailure: 'refuse', limits: [limit()] } })
  const { token } = await mint(tokens, { ownerId: 'ann', resources: { warehouse: ['w2', 'w3'] } })
  const verdicts: string[] = []
  for (let use = 0; use < 5; use += 1) verdicts.push(await verdict(tokens.verify(token)))
  expect(verdicts).toEqual(['ok', 'ok', 'rate_limited', 'rate_limited', 'rate_limited'])
  expect(intersectResources).toHaveBeenCalledTimes(2)
})

it('points functions receive the same principal as the request, and the principal is built once', async () => {
  const asked: unknown[] = []
  const points = (principal: unknown): number => asked.push(principal) && 5
  const tokens = instance({
    owner,
    rateLimit: {
      onFailure: 'refuse',
      limits: [
        { ...limit(), points },
        { ...limit(), name: 'again', points },
      ],
    },
  })
  const { token } = await mint(tokens, { ownerId: 'ann', resources: { warehouse: ['w2', 'w3'] } })
  const answer = await tokens.verify(token)
  expect(asked).toHaveLength(2)
  for (const principal of asked) expect(answer).toMatchObject({ ok: true, principal: expect.toSatisfy((own) => own === principal) })
  expect(asked[0]).toMatchObject({ resources: { warehouse: ['w2'] } })
  expect(intersectResources).toHaveBeenCalledTimes(1)
})
