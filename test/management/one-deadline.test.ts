import { type LatchkeyOptions, latchkey } from 'latchkey'
import { exchange, generateSigningKey, signingKey } from 'latchkey/jwt'
import { leakReports } from 'latchkey/leaks'
import { introspection, revocation, revocationByPossession, whoami } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, type StoreMethod } from 'latchkey/testing'
import { management } from 'latchkey/web'
import { expect, it, vi } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { never, onFakeTimers, slow } from '../support/slow-calls.js'

// The first request loads this module, which takes real time instead of fake time.
await import('../../src/management/app.js')

const hangs = { points: 10, duration: 60, consume: never, penalty: never, reward: never }
const instance = (more: Partial<LatchkeyOptions> = {}) =>
  latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'a:b': 'x' }, logger: false, deadline: '1s', ...more } as LatchkeyOptions)

/** A store whose given methods answer just within the deadline once `state.late` is set. */
function slowStore(methods: readonly StoreMethod[]) {
  const state = { late: false }
  const store = faultyStore(memoryStore(), ({ method }) =>
    state.late && (methods as readonly string[]).includes(method) ? { do: 'delay', milliseconds: 900 } : undefined,
  )
  return { store, state }
}

/** Resolves with the status of a response and the time it took. */
async function ending(call: () => Response | Promise<Response>) {
  const begunAt = performance.now()
  const ended = Promise.resolve(call()).then(({ status, headers }) => ({
    status,
    retryAfter: headers.has('retry-after'),
    after: performance.now() - begunAt,
  }))
  await vi.advanceTimersByTimeAsync(20_000)
  return await ended
}

const UNDECIDED = { status: 503, retryAfter: true, after: 1000 }
const form = (fields: Record<string, string>) => new Request('https://api.example/', { method: 'POST', body: new URLSearchParams(fields) })

onFakeTimers()

it('a management call spends at most one deadline on its actor and rate limits together', async () => {
  const actor = async () => {
    await slow()
    return { id: 'r', tenants: '*' as const, manages: 'all' as const }
  }
  const rateLimit = { onFailure: 'refuse', limits: [{ name: 'calls', limiter: hangs }] } as never
  for (const path of ['/', '/nowhere/at/all']) {
    const handle = management(instance(), { actor, rateLimit, mountPath: '/' })
    expect(await ending(() => handle(new Request(`https://api.example${path}`)))).toEqual(UNDECIDED)
  }
  const patient = management(instance(), { actor, rateLimit, deadline: '3s', mountPath: '/' })
  expect(await ending(() => patient(new Request('https://api.example/')))).toMatchObject({ status: 503, after: 3000 })
})

it('a management call has one deadline for its actor, its verbs and all of their store calls', async () => {
  const { store, state } = slowStore(['find', 'commit', 'list'])
  const tokens = instance({ store })
  const { record } = await tokens.system.create({ name: 'n', scopes: ['a:b'] })
  state.late = true
  const make = (more: object) =>
    management(tokens, { actor: () => ({ id: 'r', tenants: '*' as const, manages: 'all' as const }), mountPath: '/', ...more })
  const json = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }
  const post = (path: string) => new Request(`https://api.example${path}`, json)
  expect(await ending(() => make({})(post(`/${record.id}/deactivate`)))).toEqual(UNDECIDED)
  expect(await ending(() => make({})(new Request(`https://api.example/${record.id}`)))).toMatchObject({ status: 200, after: 900 })
  const slowActor = async () => {
    await slow()
    return { id: 'r', tenants: '*' as const, manages: 'all' as const }
  }
  expect(await ending(() => make({ actor: slowActor })(new Request('https://api.example/')))).toEqual(UNDECIDED)
  expect(await ending(() => make({ actor: slowActor, owners: slow })(new Request('https://api.example/owners')))).toEqual(UNDECIDED)
  // The deactivation committed after its request had timed out. A longer deadline covers all store calls of a request.
  expect(await ending(() => make({ deadline: '3s' })(post(`/${record.id}/activate`)))).toMatchObject({ status: 200, after: 1800 })
})

it('a token that reads or rotates itself has one deadline for verification and the verb', async () => {
  const { store, state } = slowStore(['find', 'list'])
  const tokens = instance({ store, cache: false, scopes: { 'tokens:rotate-self': 'x' } } as never)
  const { token } = await tokens.system.create({ name: 'n', scopes: ['tokens:rotate-self'] as never })
  state.late = true
  const handle = management(tokens, { actor: () => undefined, mountPath: '/' })
  const headers = { authorization: `Bearer ${token}` }
  expect(await ending(() => handle(new Request('https://api.example/self', { headers })))).toEqual(UNDECIDED)
  expect(
    await ending(() =>
      handle(
        new Request('https://api.example/self/rotate', {
          headers: { ...headers, 'content-type': 'application/json' },
          method: 'POST',
          body: '{}',
        }),
      ),
    ),
  ).toEqual(UNDECIDED)
})

it("GET /self waits at most the API's own deadline for the token's verification, and counts no use after it", async () => {
  const { store, state } = slowStore(['find'])
  const tokens = instance({ store, cache: false })
  const { token, record } = await tokens.system.create({ name: 'n', scopes: ['a:b'] })
  state.late = true
  const handle = management(tokens, { actor: () => undefined, deadline: 0.2, mountPath: '/' })
  const ask = () => handle(new Request('https://api.example/self', { headers: { authorization: `Bearer ${token}` } }))
  expect(await ending(ask)).toEqual({ ...UNDECIDED, after: 200 })
  expect(deciderOf(tokens).openUses?.pending).toBe(false)
  state.late = false
  await tokens.flush()
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0, refused: 0 })
})

it('a slowly arriving body does not use up the deadline', async () => {
  const handle = management(instance(), { actor: () => ({ id: 'r', tenants: '*' as const, manages: 'all' as const }), mountPath: '/' })
  const body = new ReadableStream({
    async start(controller) {
      await new Promise((resolve) => setTimeout(resolve, 5000))
      controller.enqueue(new TextEncoder().encode(JSON.stringify({ name: 'n', scopes: ['a:b'] })))
      controller.close()
    },
  })
  const headers = { 'content-type': 'application/json' }
  const request = new Request('https://api.example/', { method: 'POST', body, headers, duplex: 'half' } as RequestInit)
  expect(await ending(() => handle(request))).toMatchObject({ status: 201, after: 5000 })
})

it("a management call waits for the store's setup until its deadline, and an in-process call until it is done", async () => {
  const setUp = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5000))
  const store = Object.assign(Object.create(memoryStore()), { migrate: setUp })
  const tokens = instance({ store: faultyStore(store) })
  const handle = management(tokens, { actor: () => ({ id: 'r', tenants: '*' as const, manages: 'all' as const }), mountPath: '/' })
  expect(await ending(() => handle(new Request('https://api.example/')))).toEqual(UNDECIDED)
  const patient = instance({ store: faultyStore(Object.assign(Object.create(memoryStore()), { migrate: setUp })) })
  const begunAt = performance.now()
  const made = patient.system.create({ name: 'n', scopes: ['a:b'] }).then(() => performance.now() - begunAt)
  await vi.advanceTimersByTimeAsync(20_000)
  expect(await made).toBe(5000)
})

it('the OAuth endpoints share one deadline among the client callback, the store and the signature', async () => {
  const { store, state } = slowStore(['find', 'commit'])
  const tokens = instance({ store })
  const { token } = await tokens.system.create({ name: 'n', scopes: ['a:b'] })
  state.late = true
  const client = async () => {
    await slow()
    return { id: 'c', tenants: '*' as const }
  }
  for (const make of [introspection, revocation]) expect(await ending(() => make(tokens, { client })(form({ token })))).toEqual(UNDECIDED)
  expect(await ending(() => revocationByPossession(tokens)(form({ token })))).toEqual(UNDECIDED)
  expect(
    await ending(() => whoami(tokens)(new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } }))),
  ).toEqual({
    status: 200,
    retryAfter: false,
    after: 900,
  })
  const { publicJwk } = await generateSigningKey()
  const sign = async () => {
    await slow()
    return new Uint8Array(64)
  }
  const buy = exchange(tokens, { issuer: 'https://auth.example', audiences: ['stock'], keys: [await signingKey({ publicJwk, sign })] })
  const asked = form({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: token,
  })
  expect(await ending(() => buy(asked))).toEqual(UNDECIDED)
})

it("a callback that never resolves is cut off at the instance's deadline", async () => {
  const tokens = instance()
  const { token } = await tokens.system.create({ name: 'n', scopes: ['a:b'] })
  for (const make of [introspection, revocation])
    expect(await ending(() => make(tokens, { client: never })(form({ token })))).toEqual(UNDECIDED)
  const { publicJwk } = await generateSigningKey()
  const key = await signingKey({ publicJwk, sign: never })
  const buy = exchange(tokens, { issuer: 'https://auth.example', audiences: ['stock'], keys: [key] })
  const asked = form({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: token,
  })
  expect(await ending(() => buy(asked))).toEqual(UNDECIDED)
})

it("a leak report waits for the sender's keys until the instance's deadline", async () => {
  const report = leakReports(instance(), { action: 'revoke', fetch: never })
  const headers = { 'github-public-key-identifier': 'k', 'github-public-key-signature': 'MAYCAQECAQE=' }
  const asked = new Request('https://api.example/', { method: 'POST', headers, body: '[]' })
  expect(await ending(() => report(asked))).toEqual(UNDECIDED)
})
