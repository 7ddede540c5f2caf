import { type LatchkeyOptions, latchkey, type TokenStore } from 'latchkey'
import { ownTokens } from 'latchkey/import'
import { accept, foreignTokens } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { createGuard } from '../../src/http/authenticate.js'
import type { RequestLike } from '../../src/http/request.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { accepting } from '../imports/world.js'
import { ending, never, onFakeTimers, slow, UNDECIDED } from '../support/slow-calls.js'

/** A store whose reads take most of the deadline once it is `late`. */
function slowStore() {
  const inner = memoryStore()
  const state = { late: false }
  const store: TokenStore = Object.assign(Object.create(inner), {
    find: async (...args: Parameters<TokenStore['find']>) => {
      if (state.late) await slow()
      return inner.find(...args)
    },
  })
  return { store, state }
}

const limiter = (consume: () => Promise<unknown>) => ({
  points: 10,
  duration: 60,
  consume,
  penalty: never,
  reward: async () => ({ consumedPoints: 0, remainingPoints: 10, msBeforeNext: 1000 }),
})
const passes = async () => {
  await slow()
  return { consumedPoints: 1, remainingPoints: 9, msBeforeNext: 1000 }
}

async function setUp(more: Partial<LatchkeyOptions>) {
  const { store, state } = slowStore()
  const tokens = latchkey({
    prefix: 'acme_live',
    store,
    scopes: { 'a:b': 'x' },
    logger: false,
    deadline: '1s',
    cache: false,
    usage: false,
    ...more,
  } as LatchkeyOptions)
  const { token } = await tokens.system.create({ name: 'n', scopes: ['a:b'], ownerId: 'o', tenantId: 't' })
  state.late = true
  return { tokens, token }
}

onFakeTimers()

describe('one decision has one deadline', () => {
  it('a decision has one deadline for the store and a hanging owner callback', async () => {
    const { tokens, token } = await setUp({ owner: never })
    expect(await ending(() => tokens.verify(token))).toEqual(UNDECIDED)
    expect(await ending(() => tokens.introspect(token))).toEqual(UNDECIDED)
  })

  it('a decision has one deadline for the store, the owner callback and all rate limits', async () => {
    const limits = [
      { name: 'one', by: 'token', limiter: limiter(passes) },
      { name: 'two', by: 'tenant', limiter: limiter(never) },
    ] as const
    const rateLimit = { onFailure: 'refuse', limits } as never
    const { tokens, token } = await setUp({ owner: async () => ({ scopes: ['a:b'] }), rateLimit })
    expect(await ending(() => tokens.verify(token))).toEqual(UNDECIDED)
    const cached = await setUp({ cache: 'balanced', rateLimit })
    await ending(() => cached.tokens.introspect(cached.token))
    expect(await ending(() => cached.tokens.verify(cached.token))).toEqual(UNDECIDED)
    const owned = await setUp({
      cache: 'balanced',
      rateLimit,
      owner: async () => {
        await slow()
        return { scopes: ['a:b'] }
      },
    })
    expect(await ending(() => owned.tokens.verify(owned.token))).toEqual(UNDECIDED)
  })

  it('a decision has one deadline for the store and the slow hash of an imported token', async () => {
    const format = ownTokens({ name: 'old', key: (credential) => /^k-([0-9]+)-/.exec(String(credential))?.[1], verify: never })
    const { store, state } = slowStore()
    const tokens = accepting([format], { store, logger: false, deadline: '1s', cache: false })
    await tokens.system.import([{ key: 1, hash: 'one' }], { format, map: () => ({ name: 'Old', scopes: ['stock:read' as const] }) })
    state.late = true
    expect(await ending(() => tokens.verify('k-1-one'))).toEqual(UNDECIDED)
  })

  it("verifying a token from another issuer, including the key fetch, uses the instance's deadline", async () => {
    const { tokens } = await setUp({})
    const hangs = foreignTokens({
      issuer: 'https://idp.example',
      audience: 'stock',
      keys: 'discover',
      logger: false,
      principal: () => null,
      fetch: async (url) => {
        await slow()
        return url.includes('openid') ? Response.json({ issuer: 'https://idp.example', jwks_uri: 'https://idp.example/jwks' }) : never()
      },
    })
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const text = `${part({ alg: 'RS256', typ: 'at+jwt', kid: 'k' })}.${part({ iss: 'https://idp.example' })}.AAAA`
    expect(await ending(() => accept(tokens, hangs).verify(text) as Promise<unknown>)).toEqual(UNDECIDED)
    // By now the hanging fetch has timed out. Without an instance, a verifier has two seconds.
    expect(await ending(() => hangs.verify(text) as Promise<unknown>)).toEqual({ code: 'store_unavailable', after: 2000 })
  })
})

it('a hanging limiter with onFailure set to allow does not disable the other limits', async () => {
  const { tokens, token } = await setUp({
    cache: false,
    rateLimit: {
      onFailure: 'allow',
      limits: [
        { name: 'one', by: 'token', limiter: limiter(never) },
        {
          name: 'two',
          by: 'token',
          limiter: limiter(() => Promise.reject({ consumedPoints: 11, remainingPoints: 0, msBeforeNext: 1000 })),
        },
      ],
    } as never,
  })
  expect(await ending(() => tokens.verify(token))).toMatchObject({ value: { ok: false, code: 'rate_limited' } })
})

it("a route's resource function shares the deadline with the decision about the request", async () => {
  const { tokens, token } = await setUp({})
  const guard = createGuard<RequestLike>(tokens, {}, { read: (request) => request, trustsProxy: () => undefined })
  const answer = async (dimensions: object) => {
    const request = { method: 'GET', headers: new Headers({ authorization: `Bearer ${token}` }), ip: undefined }
    const outcome = await guard(request)
    expect(outcome.principal).toBeDefined()
    // Time spent by the host in between does not count.
    await slow()
    return await createScopeCheck<RequestLike>(['a:b', dimensions])(request)
  }
  const slowly = async () => {
    await slow()
    return 'w1'
  }
  // 900 ms for the store, 900 ms in the host, and the remaining 100 ms.
  expect(await ending(() => answer({ warehouse: slowly }))).toMatchObject({ value: { status: 503 }, after: 1900 })
  expect(await ending(() => answer({ warehouse: async () => 'w1' }))).toEqual({ value: undefined, after: 1800 })
})
