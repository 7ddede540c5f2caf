import { type LatchkeyOptions, latchkey, type TokenStore } from 'latchkey'
import { ownTokens } from 'latchkey/import'
import { accept, foreignTokens } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { accepting } from '../imports/world.js'

const SLOW_MS = 900
const slow = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SLOW_MS))
const never = (): Promise<never> => new Promise(() => undefined)

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

/** How a call ends, and when. */
async function ending(call: () => Promise<unknown>) {
  const begunAt = performance.now()
  const ended = call().then(
    (value) => ({ value, after: performance.now() - begunAt }),
    (error: { code?: string }) => ({ code: error.code, after: performance.now() - begunAt }),
  )
  await vi.advanceTimersByTimeAsync(20_000)
  return await ended
}

const UNDECIDED = { code: 'store_unavailable', after: 1000 }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('one decision has one deadline', () => {
  it('for the store and an owner callback that hangs', async () => {
    const { tokens, token } = await setUp({ owner: never })
    expect(await ending(() => tokens.verify(token))).toEqual(UNDECIDED)
    expect(await ending(() => tokens.introspect(token))).toEqual(UNDECIDED)
  })

  it('for the store, the owner callback and each rate limit', async () => {
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

  it('for the store and the slow hash of an imported token', async () => {
    const format = ownTokens({ name: 'old', key: (credential) => /^k-([0-9]+)-/.exec(String(credential))?.[1], verify: never })
    const { store, state } = slowStore()
    const tokens = accepting([format], { store, logger: false, deadline: '1s', cache: false })
    await tokens.system.import([{ key: 1, hash: 'one' }], { format, map: () => ({ name: 'Old', scopes: ['stock:read' as const] }) })
    state.late = true
    expect(await ending(() => tokens.verify('k-1-one'))).toEqual(UNDECIDED)
  })

  it('which is that of the instance for tokens of other issuers, fetched keys included', async () => {
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
    // The fetch that hangs has ended by now. Used alone, a verifier has two seconds.
    expect(await ending(() => hangs.verify(text) as Promise<unknown>)).toEqual({ code: 'store_unavailable', after: 2000 })
  })
})

it('a limit that hangs and is passed over does not switch off the others', async () => {
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
