import type { Latchkey } from 'latchkey'
import { authenticate, requireScopes } from 'latchkey/web'
import { describe, expect, it } from 'vitest'
import { instance, mint, type Scope } from '../latchkey/harness.js'
import { limited, syncLimiter } from '../rate-limit/support.js'

const quiet = { onWarning: () => undefined }
const otherCredential = { ...quiet, credential: { header: 'x-api-key' } } as const
const requestOf = (token: string): Request => new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })

/** The codes of the refusals in the audit log, with their counts. */
async function refusals(tokens: Latchkey<Scope>, tokenId: string): Promise<Record<string, number>> {
  await tokens.flush()
  const { items } = await tokens.system.events({ tokenId })
  const found: Record<string, number> = {}
  for (const event of items) {
    const { action, code = '', count = 1 } = event
    if (action === 'token.refused') found[code] = (found[code] ?? 0) + count
  }
  return found
}

const write = requireScopes('stock:write')
const elsewhere = requireScopes('stock:read', { warehouse: '2' })
const unreached = (): string => '2'
const fails = (): string => {
  throw new Error('bad value')
}
const failing = requireScopes('stock:read', { warehouse: fails })

const statusesOf = async (request: Request, checks: readonly ReturnType<typeof requireScopes>[]): Promise<unknown[]> => {
  const statuses: unknown[] = []
  for (const check of checks) statuses.push((await check(request))?.status)
  return statuses
}

describe('every kind of refusal on one web request is recorded', () => {
  it.each([
    ['two kinds of refusals', [write, elsewhere, write], [403, 403, 403], { scope_insufficient: 1, resource_denied: 1 }],
    ['refusals after a failed lookup', [failing, write, elsewhere], [503, 403, 403], { scope_insufficient: 1, resource_denied: 1 }],
    ['a failed lookup after a refusal', [write, failing], [403, 503], { scope_insufficient: 1 }],
  ] as const)('%s', async (_what, checks, statuses, expected) => {
    const limiter = syncLimiter(10)
    const tokens = limited([{ name: 'token', by: 'token', limiter }])
    const { token, record } = await mint(tokens, { resources: { warehouse: ['1'] } })
    const request = requestOf(token)
    await authenticate(tokens, request)
    expect(await statusesOf(request, checks)).toEqual(statuses)
    expect(await refusals(tokens, record.id)).toEqual(expected)
    // One request is given back once and counts as one refusal.
    const key = `token:acme_test:${record.id}`
    expect([limiter.counts.get(key), limiter.counts.get(`${key}:refused`)]).toEqual([0, 1])
  })

  it('two parts at once that `require` refuses for different reasons', async () => {
    const tokens = instance({ owner: async () => ({ scopes: ['stock:read'] }) })
    const { token, record } = await mint(tokens, { ownerId: 'ada', resources: { warehouse: ['1'] } })
    const request = requestOf(token)
    const parts = [write, elsewhere].map((require) => authenticate(tokens, request, { ...quiet, require }))
    expect((await Promise.all(parts)).map(({ response }) => response?.status)).toEqual([403, 403])
    expect(await refusals(tokens, record.id)).toEqual({ scope_insufficient: 1, resource_denied: 1 })
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0, refused: 1 })
  })
})

describe('lookups for a token without refusals left', () => {
  /** A check that counts its lookups. By default, they find a resource that the token does not reach. */
  const counting = (lookup: () => string = unreached) => {
    const counted = { lookups: 0, check: requireScopes('stock:read', { warehouse: async () => find() }) }
    const find = (): string => {
      counted.lookups += 1
      return lookup()
    }
    return counted
  }

  const start = async () => {
    const tokens = limited([{ name: 'token', by: 'token', limiter: syncLimiter(3) }])
    return { tokens, ...(await mint(tokens, { resources: { warehouse: ['1'] } })) }
  }

  it('separate checks of one request do not look up anything', async () => {
    const { tokens, token, record } = await start()
    const { check } = counting()
    const spend = async (): Promise<number | undefined> => {
      const request = requestOf(token)
      await authenticate(tokens, request)
      return (await check(request))?.status
    }
    await expect.poll(spend).toBe(429)
    const batch = counting()
    const request = requestOf(token)
    await authenticate(tokens, request)
    expect(await statusesOf(request, Array(5).fill(batch.check))).toEqual([429, 429, 429, 429, 429])
    expect(batch.lookups).toBe(0)
    expect(await refusals(tokens, record.id)).toMatchObject({ rate_limited: 2 })
  })

  it.each([
    ['refused', unreached, 403, { resource_denied: 4, rate_limited: 16 }],
    ['failed', fails, 503, { rate_limited: 16 }],
  ] as const)('%s lookups are bounded even while another part of each request is refused', async (_how, lookup, status, events) => {
    const { tokens, token, record } = await start()
    const counted = counting(lookup)
    const statuses: (number | undefined)[] = []
    for (let at = 0; at < 20; at += 1) {
      const request = requestOf(token)
      await authenticate(tokens, request)
      const [checked, refused] = await Promise.all([counted.check(request), authenticate(tokens, request, otherCredential)])
      expect(refused.response?.status).toBe(401)
      statuses.push(checked?.status)
    }
    expect(statuses).toEqual([...Array(4).fill(status), ...Array(16).fill(429)])
    expect(counted.lookups).toBe(4)
    expect(await refusals(tokens, record.id)).toEqual(events)
  })

  it('lookups are bounded for a part that was being decided while a check refused the request', async () => {
    const limits = [{ name: 'token', by: 'token', limiter: syncLimiter(3) }] as const
    const tokens = limited(limits, { owner: async () => ({ scopes: ['stock:read'] }) })
    const { token, record } = await mint(tokens, { ownerId: 'ada', resources: { warehouse: ['1'] } })
    const counted = counting()
    for (let at = 0; at < 20; at += 1) {
      const request = requestOf(token)
      await authenticate(tokens, request)
      const later = authenticate(tokens, request, quiet)
      await write(request)
      expect((await later).response).toBeUndefined()
      await counted.check(request)
    }
    expect(counted.lookups).toBeLessThanOrEqual(4)
    expect(await refusals(tokens, record.id)).toMatchObject({ scope_insufficient: 4, resource_denied: counted.lookups })
  })
})
