import { type LatchkeyOptions, latchkey, type Resources } from 'latchkey'
import { exchange, generateSigningKey } from 'latchkey/jwt'
import { whoami } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { expect, it } from 'vitest'
import { deciderOf } from '../../../src/instance.js'
import { ACCESS_TOKEN, GRANT, ISSUER } from './support.js'

const world = async (owner?: () => { scopes: string[] } | null, more: Partial<LatchkeyOptions<'a' | 'c'>> = {}, resources?: Resources) => {
  const limiter = new RateLimiterMemory({ points: 2, duration: 60 })
  const tokens = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { a: 'b', c: 'd' },
    logger: false,
    rateLimit: { limits: [{ name: 'token', by: 'token', limiter }], onFailure: 'refuse' },
    ...(owner !== undefined && { owner }),
    ...more,
  })
  const { token } = await tokens.system.create({
    name: 'x',
    scopes: ['a'],
    ...(resources !== undefined && { resources }),
    ...(owner !== undefined && { tenantId: 'acme', ownerId: 'bob' }),
  })
  const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [await generateSigningKey()] })
  const ask = (scope = 'a', fields: Record<string, string> = {}): Promise<Response> => {
    const body = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN, scope, ...fields })
    return buy(new Request(ISSUER, { method: 'POST', body }))
  }
  const look = (): Promise<Response> => whoami(tokens)(new Request(ISSUER, { headers: { authorization: `Bearer ${token}` } }))
  return { ask, look, tokens }
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

it('an exchange after too many refused exchanges reports the limit in its rate limit fields', async () => {
  const { ask } = await world()
  for (let times = 0; times < 4; times += 1) expect((await ask('c')).status).toBe(times < 3 ? 400 : 429)
  expect(limitsIn(await ask('c'))).toEqual({ status: 429, policy: '"token";q=2;w=60', limits: '"token";r=0;t', retries: true })
})

it('an exchange beyond the budget for lookups of a departed owner reports that nothing remains', async () => {
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

it('an exchange whose token cannot be read leaves no use open, even after too many such exchanges', async () => {
  let reads = 0
  const store = interceptStore(memoryStore(), ({ method }, proceed) => {
    // The decision reads the token first, and then the exchange reads it from the primary.
    if (method === 'find' && ++reads % 2 === 0) throw new Error('down')
    return proceed()
  })
  const { ask, tokens } = await world(undefined, { store, cache: false })
  const statuses: number[] = []
  for (let times = 0; times < 8; times += 1) {
    reads = 0
    statuses.push((await ask()).status)
    expect(deciderOf(tokens).openUses?.pending).toBe(false)
  }
  expect([...new Set(statuses)]).toEqual([503, 429])
})

it.each<[string, string, Record<string, string>]>([
  ['scopes', 'c', {}],
  ['resources', 'a', { resources: '{"site":["w2"]}' }],
])('once a token has no refusals left, exchanges that request more %s than it has no longer read the store', async (_, ...asked) => {
  let reads = 0
  const store = interceptStore(memoryStore(), ({ method }, proceed) => {
    if (method === 'find') reads += 1
    return proceed()
  })
  const { ask, tokens } = await world(undefined, { store }, { site: ['w1'] })
  for (let times = 0; times < 4; times += 1) expect((await ask(...asked)).status).toBe(times < 3 ? 400 : 429)
  const before = reads
  for (let times = 0; times < 10; times += 1) expect((await ask(...asked)).status).toBe(429)
  expect(reads).toBe(before)
  await tokens.flush()
  expect((await tokens.system.events({ action: 'token.refused' })).items.map(({ code, count }) => [code, count])).toContainEqual([
    'rate_limited',
    11,
  ])
  expect((await ask()).status).toBe(200)
})

it('exchanges for signed tokens that would be too long use up the limit once the token has no refusals left', async () => {
  let reads = 0
  const store = interceptStore(memoryStore(), ({ method }, proceed) => {
    if (method === 'find') reads += 1
    return proceed()
  })
  const { ask } = await world(undefined, { store })
  const resources = JSON.stringify({ site: Array.from({ length: 400 }, (_, at) => `warehouse-number-${at}`) })
  const statuses = new Set<number>()
  for (let times = 0; times < 50; times += 1) statuses.add((await ask('a', { resources })).status)
  expect([...statuses]).toEqual([400, 429])
  expect(reads).toBeLessThan(10)
})
