import { type Latchkey, latchkey, type TokenStore } from 'latchkey'
import { whoami } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, type StoreMethod } from 'latchkey/testing'
import { authenticate, management, requireScopes } from 'latchkey/web'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { createGuard } from '../../src/http/authenticate.js'

const request = (token: string): Request => new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })

const limited = (points: number, store: TokenStore = memoryStore()): Latchkey<'a' | 'tokens:rotate-self'> =>
  latchkey({
    prefix: 'acme_live',
    store,
    scopes: { a: 'b', 'tokens:rotate-self': 'c' },
    logger: false,
    rateLimit: { limits: [{ name: 'token', by: 'token', limiter: new RateLimiterMemory({ points, duration: 60 }) }], onFailure: 'refuse' },
  })

/** A store in which all calls of one method fail between `fail(true)` and `fail(false)`. */
function failing(method: StoreMethod): { readonly store: TokenStore; readonly fail: (now: boolean) => void } {
  let fails = false
  const store = faultyStore(memoryStore(), (call) =>
    fails && call.method === method ? { do: 'fail', error: new Error('down') } : undefined,
  )
  const fail = (now: boolean): void => {
    fails = now
  }
  return { store, fail }
}

describe('a use that ends without a decision', () => {
  it.each([
    ['immediately', () => 'throws'],
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

  it('a call to whoami that fails to read the token is refunded and not counted', async () => {
    const { store, fail } = failing('list')
    const tokens = limited(1, store)
    const { token, record } = await tokens.system.create({ name: 'x', scopes: ['a'] })
    const me = whoami(tokens)
    const ask = async (): Promise<number> => (await me(request(token))).status
    fail(true)
    expect([await ask(), await ask()]).toEqual([503, 503])
    fail(false)
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0 })
    expect([await ask(), await ask()]).toEqual([200, 429])
  })

  it('a failed call to a route for token holders is refunded and not counted', async () => {
    const { store, fail } = failing('commit')
    const tokens = limited(1, store)
    const { token, record } = await tokens.system.create({ name: 'x', scopes: ['tokens:rotate-self'] })
    const handle = management(tokens, { mountPath: '', actor: () => undefined })
    const rotate = async (): Promise<number> => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      return (await handle(new Request('https://api.example/self/rotate', { method: 'POST', headers, body: '{}' }))).status
    }
    fail(true)
    expect([await rotate(), await rotate()]).toEqual([503, 503])
    fail(false)
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0 })
    expect(await rotate()).toBe(201)
  })

  it.each(['decision', 'address'])('a use is refunded and not counted if the %s of a later guard fails', async (what) => {
    const tokens = limited(1)
    const { store, fail } = failing('find')
    const { token, record } = await tokens.system.create({ name: 'x', scopes: ['a'] })
    const read = ({ method, headers }: Request) => ({ method, headers, ip: undefined })
    const unreadable = (): never => {
      throw new Error('no address')
    }
    const first = createGuard<Request>(tokens, {}, { read, trustsProxy: () => undefined })
    const second = createGuard<Request>(
      limited(1, store),
      {},
      { read: what === 'address' ? unreadable : read, trustsProxy: () => undefined },
    )
    fail(true)
    for (let at = 0; at < 2; at += 1) {
      const asked = request(token)
      const { use, response } = await first(asked)
      expect(response).toBeUndefined()
      expect((await second(asked)).response?.status).toBe(503)
      use?.done('GET /')
    }
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0 })
  })
})
