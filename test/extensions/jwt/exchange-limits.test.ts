import { latchkey } from 'latchkey'
import { exchange, generateSigningKey } from 'latchkey/jwt'
import { whoami } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { expect, it } from 'vitest'
import { ACCESS_TOKEN, GRANT, ISSUER } from './support.js'

const world = async (owner?: () => { scopes: string[] } | null) => {
  const limiter = new RateLimiterMemory({ points: 2, duration: 60 })
  const tokens = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { a: 'b', c: 'd' },
    rateLimit: { limits: [{ name: 'token', by: 'token', limiter }], onFailure: 'refuse' },
    ...(owner !== undefined && { owner }),
  })
  const { token } = await tokens.system.create({
    name: 'x',
    scopes: ['a'],
    ...(owner !== undefined && { tenantId: 'acme', ownerId: 'bob' }),
  })
  const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [await generateSigningKey()] })
  const ask = (scope = 'a'): Promise<Response> => {
    const body = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN, scope })
    return buy(new Request(ISSUER, { method: 'POST', body }))
  }
  const look = (): Promise<Response> => whoami(tokens)(new Request(ISSUER, { headers: { authorization: `Bearer ${token}` } }))
  return { ask, look }
}

/** The fields of a 429 about limits, without the time that is left. */
const limitsIn = ({ status, headers }: Response) => ({
  status,
  policy: headers.get('ratelimit-policy'),
  limits: headers.get('ratelimit')?.replace(/t=\d+/, 't'),
  retries: /^[1-9]\d*$/.test(headers.get('retry-after') ?? ''),
})

it('an exchange over a limit answers with the same rate limit fields as whoami', async () => {
  const { ask, look } = await world()
  for (let times = 0; times < 2; times += 1) expect((await ask()).status).toBe(200)
  const seen = limitsIn(await ask())
  expect(seen).toEqual({ status: 429, policy: '"token";q=2;w=60', limits: '"token";r=0;t', retries: true })
  expect(limitsIn(await look())).toEqual(seen)
})

it('an exchange after too many refused exchanges answers with the limit in its rate limit fields', async () => {
  const { ask } = await world()
  for (let times = 0; times < 4; times += 1) expect((await ask('c')).status).toBe(times < 3 ? 400 : 429)
  expect(limitsIn(await ask('c'))).toEqual({ status: 429, policy: '"token";q=2;w=60', limits: '"token";r=0;t', retries: true })
})

it('an exchange for an owner who was found to be gone too often says that nothing remains', async () => {
  let owned: { scopes: string[] } | null = { scopes: ['a'] }
  const { ask } = await world(() => owned)
  owned = null
  let last = await ask()
  for (let times = 0; last.status !== 429 && times < 1000; times += 1) last = await ask()
  expect(limitsIn(last)).toEqual({ status: 429, policy: null, limits: '"token";r=0;t', retries: true })
})

it('refused exchanges are limited separately from allowed exchanges', async () => {
  const { ask } = await world()
  const statuses: number[] = []
  for (const scope of ['c', 'c', 'c', 'c', 'a', 'a', 'a']) statuses.push((await ask(scope)).status)
  expect(statuses).toEqual([400, 400, 400, 429, 200, 200, 429])
})
