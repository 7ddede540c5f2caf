import type { Latchkey } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { createGuard } from '../../src/http/authenticate.js'
import type { AuthenticateOptions } from '../../src/http/options.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { allowing, type FakeRequest, fakePlatform, fakePrincipal, fakeTokens, withToken } from './fake.js'

const principal = fakePrincipal(['a:read'], { warehouse: ['w1'] })
const silent = { onWarning: () => undefined }
const basic = (token: string): string => `Basic ${Buffer.from(`${token}:`).toString('base64')}`

/** Returns the status and code of the refusal, or the token ID that the guard admitted. */
async function outcome(tokens: Latchkey, options: AuthenticateOptions<FakeRequest>, request: FakeRequest): Promise<unknown> {
  const found = await createGuard(tokens, { ...silent, ...options }, fakePlatform())(request)
  if (found.response !== undefined) return [found.response.status, JSON.parse(found.response.body).code]
  return found.principal === undefined ? 'anonymous' : found.principal.tokenId
}

describe('a credential', () => {
  it('a malformed credential is refused before a token is verified', async () => {
    const asked: unknown[] = []
    const tokens = fakeTokens((token) => void asked.push(token))
    expect(await outcome(tokens, { optional: true }, { headers: ['Authorization', 'Bearer a b'] })).toEqual([400, 'credential_malformed'])
    expect(asked).toEqual([])
  })

  it('a Basic credential, which browsers resend, is refused in a cross-site request', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    const from = (site: string): FakeRequest => ({
      headers: ['Authorization', basic('good'), 'Sec-Fetch-Site', site, 'Origin', 'https://evil.example'],
      method: 'POST',
    })
    expect(await outcome(tokens, { credential: 'basic' }, from('cross-site'))).toEqual([403, 'cross_site'])
    expect(await outcome(tokens, { credential: 'basic' }, from('same-origin'))).toBe('t1')
  })
})

describe('a credential of another system', () => {
  const other = { tokenId: 'other:1', scopes: ['a:read'] }
  const foreign = (credential: string) => (credential === 'theirs' ? other : undefined)
  const tokens = () => fakeTokens(() => allowing(principal), { isOwn: (token) => token === 'ours' })

  it('credentials of other systems go to the foreign callback, and credentials unknown to the callback are invalid', async () => {
    expect(await outcome(tokens(), { foreign }, withToken('theirs'))).toBe('other:1')
    expect(await outcome(tokens(), { foreign }, withToken('nobody'))).toEqual([401, 'token_invalid'])
  })

  it("the foreign callback is never called for the instance's own tokens", async () => {
    const asked: unknown[] = []
    const listening = (given: string) => {
      asked.push(given)
      return other
    }
    expect(await outcome(tokens(), { foreign: listening }, withToken('ours'))).toBe('t1')
    expect(asked).toEqual([])
  })
})

describe('the result of a decision', () => {
  const faulty = { tokenId: 't1', allows: () => true }

  it.each([
    ['undefined', undefined],
    ['a principal without an ID', { ok: true, principal: { allows: () => true } }],
    ['a principal without allows()', { ok: true, principal: { tokenId: 't1' } }],
    ['no principal', { ok: true }],
    ['ok that is merely truthy', { ok: 1, principal: faulty }],
    ['ok as a string', { ok: 'true', principal: faulty }],
    ['a refusal without a code', { ok: false }],
  ])('a malformed decision causes a 503 and never admits a request, synchronously or not: %s', async (_what, answer) => {
    for (const decide of [() => answer, async () => answer]) {
      const tokens = fakeTokens(decide)
      expect(await outcome(tokens, { optional: true }, withToken())).toEqual([503, 'store_unavailable'])
      expect(tokens.faults).toMatchObject([{ where: 'verify', error: { message: 'the decision has an unknown form' } }])
    }
  })

  it('a failing decision causes a 503 and never admits a request, synchronously or not', async () => {
    const fails = (): never => {
      throw new Error('down')
    }
    for (const decide of [fails, async () => fails()]) {
      const tokens = fakeTokens(decide)
      expect(await outcome(tokens, { optional: true }, withToken())).toEqual([503, 'store_unavailable'])
      expect(tokens.faults).toMatchObject([{ where: 'verify', error: { message: 'down' } }])
    }
  })
})

it('a guard informs only its own instance that the request was already admitted', async () => {
  const seen: unknown[] = []
  const listening = (): Latchkey =>
    fakeTokens((_token, context) => {
      seen.push(Reflect.get(Object(context), 'admitted'))
      return allowing(principal)
    })
  const [ours, another] = [listening(), listening()]
  const request = withToken()
  for (const tokens of [ours, another, another]) await createGuard(tokens, silent, fakePlatform())(request)
  expect(seen).toEqual([undefined, undefined, principal])
})

describe('a scope check', () => {
  const spent = { name: 'token', limit: 5, remaining: 0, resetSeconds: 30 }

  async function check(tokens: Latchkey, args: Parameters<typeof createScopeCheck<FakeRequest>>[0], request = withToken(), options = {}) {
    const guard = createGuard(tokens, { ...silent, ...options }, fakePlatform())
    const admitted = await guard(request)
    const refused = await createScopeCheck<FakeRequest>(args)(request)
    admitted.use?.done('GET /')
    return refused === undefined ? 'ran' : [refused.status, JSON.parse(refused.body).code]
  }

  it('a scope check refuses a request that an optional guard admitted without a credential', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    expect(await check(tokens, ['a:read'], { headers: [] }, { optional: true })).toEqual([401, 'credential_missing'])
  })

  it('a scope check refuses a request whose resource the route cannot determine', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    for (const value of [undefined, null, '', 7, [], ['w1', 7], {}]) {
      expect(await check(tokens, ['a:read', { warehouse: () => value }])).toEqual([403, 'resource_denied'])
    }
    expect(await check(tokens, ['a:read', { warehouse: () => 'w1' }])).toBe('ran')
  })

  it("a scope check calls no host callback and answers 429 once the token's refusal budget is used up", async () => {
    let asked = 0
    const tokens = fakeTokens(() => allowing(principal), { refusalsSpent: () => spent })
    const warehouse = () => {
      asked += 1
      return 'w1'
    }
    expect(await check(tokens, ['a:read', { warehouse }])).toEqual([429, 'rate_limited'])
    expect(await check(tokens, ['a:write'])).toEqual([429, 'rate_limited'])
    expect(asked).toBe(0)
    expect(tokens.uses).toMatchObject([{ outcome: 'rate_limited' }, { outcome: 'rate_limited' }])
  })

  it("a route with fixed resources still runs once a token's refusal budget is used up, unless a function determines another resource", async () => {
    const tokens = fakeTokens(() => allowing(principal), { refusalsSpent: () => spent })
    expect(await check(tokens, ['a:read', { warehouse: 'w1' }])).toBe('ran')
    expect(await check(tokens, ['a:read', { warehouse: ['w1'], shop: 's1' }])).toBe('ran')
    expect(await check(tokens, ['a:read', { warehouse: 'w2' }])).toEqual([429, 'rate_limited'])
    expect(await check(tokens, ['a:read', { warehouse: 'w1', shop: () => 's1' }])).toEqual([429, 'rate_limited'])
    expect(tokens.uses).toMatchObject(['allowed', 'allowed', 'rate_limited', 'rate_limited'].map((outcome) => ({ outcome })))
  })

  it('a limited token passes a route that names no resource unless resources are explicit', async () => {
    const limited = { ...fakePrincipal(['a:read'], { warehouse: ['w1'] }), resources: { warehouse: ['w1'] } }
    const tokens = fakeTokens(() => allowing(limited))
    expect(await check(tokens, ['a:read'])).toBe('ran')
    expect(await check(tokens, ['a:read'], withToken(), { resources: 'explicit' })).toEqual([403, 'resource_denied'])
    expect(await check(tokens, ['a:read', { warehouse: 'w1' }], withToken(), { resources: 'explicit' })).toBe('ran')
  })
})
