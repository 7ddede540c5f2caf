import { type LatchkeyOptions, latchkey } from 'latchkey'
import { exchange, generateSigningKey, signingKey } from 'latchkey/jwt'
import { leakReports } from 'latchkey/leaks'
import { introspection, revocation } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { management } from 'latchkey/web'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'

// The first request loads it, which takes time that is not injected.
await import('../../src/management/app.js')

const never = (): Promise<never> => new Promise(() => undefined)
const slow = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 900))

const hangs = { points: 10, duration: 60, consume: never, penalty: never, reward: never }
const instance = (more: Partial<LatchkeyOptions> = {}) =>
  latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'a:b': 'x' }, logger: false, deadline: '1s', ...more } as LatchkeyOptions)

/** The status of an answer, and when it came. */
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

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it('a management call waits for its actor and its rate limits together no longer than the deadline of the instance', async () => {
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

it('what endpoints of an instance ask for has the deadline of the instance', async () => {
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

it('a leak report waits for the keys of its sender no longer than the deadline of the instance', async () => {
  const report = leakReports(instance(), { action: 'revoke', fetch: never })
  const headers = { 'github-public-key-identifier': 'k', 'github-public-key-signature': 'AAAA' }
  const asked = new Request('https://api.example/', { method: 'POST', headers, body: '[]' })
  expect(await ending(() => report(asked))).toEqual(UNDECIDED)
})
