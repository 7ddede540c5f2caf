import type { FaultReport, Latchkey, LatchkeyOptions } from 'latchkey'
import { foreignTokens, verifySigned } from 'latchkey/jwt'
import { leakReports } from 'latchkey/leaks'
import { introspection, revocation } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { authenticate, management, requireScopes } from 'latchkey/web'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { createGateway } from '../extensions/jwt/support.js'
import { instance, mint, type Scope, until, verdict, warm } from './harness.js'

const boom = (): never => {
  throw new Error('boom')
}

/** An instance over a store that can be made to fail, with everything that it reports. */
function hear(options: Partial<LatchkeyOptions<Scope>> = {}) {
  const heard: FaultReport[] = []
  const lines: string[] = []
  const store = faultyStore(memoryStore())
  const tokens = instance({
    store,
    deadline: 0.15,
    onError: (fault) => heard.push(fault),
    logger: { error: (line) => lines.push(line) },
    ...options,
  })
  const places = (): readonly string[] => [...new Set(heard.map(({ where }) => where))]
  return { heard, lines, store, tokens, places }
}

const get = (token: string): Request => new Request('http://host.test/stock', { headers: { authorization: `Bearer ${token}` } })
const form = (token: string): Request => new Request('http://host.test/x', { method: 'POST', body: new URLSearchParams({ token }) })
const list = (tokens: Latchkey<Scope>, actor: () => unknown, deadline = 1): Promise<Response> =>
  management(tokens as unknown as Latchkey, { mountPath: '/t', actor: actor as () => undefined, deadline })(
    new Request('http://host.test/t/'),
  )

describe('outages are reported', () => {
  const dead = { do: 'fail', error: Object.assign(new Error('value "secret" in row'), { code: 'ECONNREFUSED' }) } as const

  it('a store outage is reported for each refused request, and logged once', async () => {
    const { heard, lines, store, tokens, places } = hear({ cache: false })
    const { token } = await mint(tokens)
    store.behave({ find: dead, list: dead })
    expect((await authenticate(tokens, get(token))).response?.status).toBe(503)
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    expect((await list(tokens, () => ({ id: 'ada', tenants: '*', manages: 'all' }))).status).toBe(503)
    expect(heard.map(({ where }) => where)).toEqual(['store.find', 'store.find', 'store.list'])
    expect(heard[0]?.error).toMatchObject({ code: 'store_unavailable', cause: 'Error ECONNREFUSED' })
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('ECONNREFUSED')
    expect(places()).not.toContain('verify')
  })

  it.each([['hang'], ['answer']] as const)('a store that misbehaves is reported: %s', async (what) => {
    const { store, tokens, places } = hear({ cache: false })
    const { token } = await mint(tokens)
    store.behave({ find: what === 'hang' ? { do: 'hang' } : { do: 'answer', value: 5 } })
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    expect(places()).toEqual(['store.find'])
  })

  it('a store that is known to hang is reported even for requests refused without a store call', async () => {
    const { heard, store, tokens } = hear({ cache: false })
    const { token } = await mint(tokens)
    store.behave({ find: { do: 'hang' } })
    for (let times = 0; times < 5; times += 1) expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    expect(heard).toHaveLength(5)
  })

  it('an unreadable record is reported without its contents', async () => {
    const { lines, store, tokens, places } = hear({ cache: false })
    const { token, record } = await mint(tokens)
    store.behave({ find: { do: 'answer', value: [{ id: record.id, digest: 5 }] } })
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    expect(places()).toEqual(['store.find'])
    expect(lines).toHaveLength(1)
  })

  it('failures of the feed, of flushes and of notices are reported although no call waits for them', async () => {
    const { store, tokens, places } = hear({ usage: { flushEvery: 0.02 }, cache: { maxStaleness: 0.1 } })
    const { token } = await mint(tokens)
    await warm(tokens, token)
    store.behave({ changes: dead, recordUsage: dead })
    await tokens.verify(token)
    await until(() => places().includes('store.changes') && places().includes('store.recordUsage'))
  })

  it('a failing subscription to changes is reported', async () => {
    const { store, tokens, places } = hear()
    const { token } = await mint(tokens)
    store.behave({ subscribe: dead })
    await tokens.verify(token)
    await until(() => places().includes('store.subscribe'))
  })

  it('calls to a closed instance are reported', async () => {
    const { tokens, places } = hear()
    const { token } = await mint(tokens)
    await tokens.close()
    expect((await authenticate(tokens, get(token))).response?.status).toBe(503)
    expect(places()).toEqual(['verify'])
  })
})

describe('failing callbacks are reported', () => {
  it.each([
    ['throws', boom],
    ['rejects', () => Promise.reject(new Error('boom'))],
    ['never settles', () => new Promise(() => undefined)],
  ])('a failing actor callback is reported: it %s', async (_, actor) => {
    const { heard, lines, tokens } = hear()
    expect((await list(tokens, actor, 0.05)).status).toBe(503)
    expect(heard.map(({ where }) => where)).toEqual(['actor'])
    expect(lines[0]).toContain('LATCHKEY_CALLBACK_FAILED actor')
  })

  it('a failing callback is reported with its message and stack, but without the token', async () => {
    const { heard, lines, tokens } = hear()
    const { token } = await mint(tokens)
    await list(tokens, () => {
      throw new TypeError(`no session for ${token}`)
    })
    const cause = heard[0]?.error.cause as Error
    expect(cause.message).toContain('no session for')
    expect(cause.stack).toContain('faults.test')
    expect(`${cause.message} ${cause.stack} ${lines}`).not.toContain(token.slice(28, 60))
  })

  it('a failing owner callback is reported', async () => {
    let broken = false
    const owner = (): { scopes: readonly string[] } => (broken ? boom() : { scopes: ['stock:read'] })
    const { tokens, places } = hear({ owner })
    const { token } = await mint(tokens, { ownerId: 'u1' })
    broken = true
    expect((await authenticate(tokens, get(token))).response?.status).toBe(503)
    expect(places()).toEqual(['owner'])
  })

  it('a failing mayOwn callback is reported', async () => {
    const { tokens, places } = hear({ mayOwn: boom })
    const actor = tokens.as({ id: 'ada', tenants: '*', manages: 'all' })
    await expect(actor.create({ name: 'x', ownerId: 'bob', scopes: ['stock:read'] })).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(places()).toEqual(['mayOwn'])
  })

  it.each([
    ['throws', boom],
    ['rejects', () => Promise.reject(new Error('boom'))],
  ])('a failing onEvent callback is reported and changes nothing: it %s', async (_, onEvent) => {
    const { lines, tokens, places } = hear({ onEvent })
    const { record } = await mint(tokens)
    await until(() => places().includes('onEvent'))
    expect(lines[0]).toContain('Error: boom')
    expect(await tokens.system.get(record.id)).toBeDefined()
  })

  it('a failing resource function and a failing errorBody are reported', async () => {
    const { tokens, places } = hear()
    const { token } = await mint(tokens)
    const require = requireScopes('stock:read', { warehouse: boom })
    expect((await authenticate(tokens, get(token), { require })).response?.status).toBe(503)
    expect((await authenticate(tokens, get('nonsense'), { errorBody: boom })).response?.status).toBe(401)
    expect(places()).toEqual(['resources', 'errorBody'])
  })

  it.each(['refuse', 'allow'] as const)('a failing limiter is reported with onFailure: %s', async (onFailure) => {
    const limiter = new RateLimiterMemory({ points: 5, duration: 60 })
    limiter.consume = () => Promise.reject(new Error('boom'))
    const { tokens, places } = hear({ rateLimit: { limits: [{ name: 'token', by: 'token', limiter }], onFailure } })
    const { token } = await mint(tokens)
    expect(await verdict(tokens.verify(token))).toBe(onFailure === 'allow' ? 'ok' : 'store_unavailable')
    expect(places()).toEqual(['rateLimit'])
  })

  it('a failing clock is reported', async () => {
    let broken = false
    const { tokens, places } = hear({ clock: () => (broken ? boom() : Date.now()) })
    const { token } = await mint(tokens)
    await warm(tokens, token)
    broken = true
    expect((await authenticate(tokens, get(token))).response?.status).toBe(503)
    expect(places()).toEqual(['verify'])
  })

  it('a failing client callback of the OAuth endpoints is reported', async () => {
    const { tokens, places } = hear()
    for (const make of [introspection, revocation]) expect((await make(tokens, { client: boom })(form('x'))).status).toBe(503)
    expect(places()).toEqual(['client'])
  })
})

describe('keys that cannot be fetched are reported', () => {
  const offline = () => Promise.reject(new Error('offline'))

  it('a verifier of signed tokens reports keys that cannot be fetched', async () => {
    const { signed, create } = await createGateway()
    const heard: FaultReport[] = []
    const options = { onError: (fault: FaultReport) => heard.push(fault), logger: false, fetch: offline } as const
    const keys = { url: 'https://auth.example/.well-known/jwks.json' }
    const verifier = verifySigned({ issuer: 'https://auth.example', audience: 'stock', keys, ...options })
    const token = await signed((await create()).token)
    expect((await authenticate(verifier, get(token))).response?.status).toBe(503)
    expect(heard.map(({ where }) => where)).toEqual(['keys'])
    expect(() => foreignTokens({ issuer: 'x', audience: 'y', keys, principal: () => null, onError: 'x' as unknown as () => void })).toThrow(
      'onError',
    )
  })

  it('leakReports() reports keys that cannot be fetched', async () => {
    const { tokens, places } = hear()
    const receive = leakReports(tokens, { fetch: offline })
    const headers = { 'github-public-key-identifier': 'x', 'github-public-key-signature': 'MAYCAQECAQE=' }
    expect((await receive(new Request('http://host.test/', { method: 'POST', headers, body: '[]' }))).status).toBe(503)
    expect(places()).toEqual(['keys'])
  })
})
