import type { Latchkey, LatchkeyOptions } from 'latchkey'
import { exchange, generateSigningKey } from 'latchkey/jwt'
import { introspection } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { expect, it } from 'vitest'
import { instance, mint, type Scope, until, warm } from '../latchkey/harness.js'
import { ACCESS_TOKEN, GRANT, ISSUER } from './jwt/support.js'

/** An instance whose reads wait for the test while they are held. */
function heldReads(options: Partial<LatchkeyOptions<Scope>> = {}) {
  const held: { readonly id: string; readonly end: () => void }[] = []
  const read: string[] = []
  let holding = false
  const store = interceptStore(memoryStore(), async ({ method, args }, proceed) => {
    if (method === 'find' && holding) {
      const [[id = ''] = []] = args as [readonly string[]]
      read.push(id)
      await new Promise<void>((resolve) => held.push({ id, end: resolve }))
    }
    return await proceed()
  })
  const hold = (on: boolean): void => {
    holding = on
    if (!on) for (const { end } of held.splice(0)) end()
  }
  return { tokens: instance({ store, deadline: '60s', ...options }), read, hold }
}

async function exchanging(tokens: Latchkey<Scope>, ip?: string) {
  const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [await generateSigningKey()], ip: () => ip })
  return async (token: string): Promise<number> => {
    const body = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
    return (await buy(new Request(`${ISSUER}/token`, { method: 'POST', body }))).status
  }
}

function introspecting(tokens: Latchkey<Scope>) {
  const ask = introspection(tokens, { client: () => ({ id: 'gateway', tenants: '*' }) })
  return async (token: string): Promise<number> =>
    (await ask(new Request('https://auth.example/introspect', { method: 'POST', body: new URLSearchParams({ token }) }))).status
}

it.each([
  ['exchanges', 'from the address of a gateway', (tokens: Latchkey<Scope>) => exchanging(tokens, '203.0.113.7')],
  ['exchanges', 'from an unknown address', (tokens: Latchkey<Scope>) => exchanging(tokens)],
  ['introspections', 'by one client', async (tokens: Latchkey<Scope>) => introspecting(tokens)],
])('a flood of %s of one token %s does not delay other tenants, and its requests share reads', async (_, __, start) => {
  const { tokens, read, hold } = heldReads()
  const call = await start(tokens)
  const [evil, good] = [await mint(tokens, { tenantId: 'evil' }), await mint(tokens, { tenantId: 'good' })]
  // Decisions are now made from memory, so the only remaining reads are those that wait in the queue.
  for (const { token } of [evil, good]) {
    await warm(tokens, token)
    expect(await call(token)).toBe(200)
  }
  hold(true)
  const flood = Array.from({ length: 300 }, () => call(evil.token))
  await until(() => read.length > 0)
  const other = call(good.token)
  await until(() => read.includes(good.record.id))
  hold(false)
  expect([await other, ...new Set(await Promise.all(flood))]).toEqual([200, 200])
  expect(read.length).toBeLessThanOrEqual(13)
})

it('exchanges that fail in the store use up the rate limit for refusals, so a flood of them ends with 429', async () => {
  const limiter = new RateLimiterMemory({ points: 5, duration: 3600 })
  let failing = false
  const store = interceptStore(memoryStore(), ({ method }, proceed) => {
    if (method === 'find' && failing) throw new Error('down')
    return proceed()
  })
  const tokens = instance({ store, rateLimit: { limits: [{ name: 'token', by: 'token', limiter }], onFailure: 'refuse' } })
  const call = await exchanging(tokens)
  const { token } = await mint(tokens, { tenantId: 't1' })
  expect(await call(token)).toBe(200)
  await until(async () => (await tokens.verify(token)).ok)
  failing = true
  const seen = []
  for (let at = 0; at < 18; at += 1) seen.push(await call(token))
  expect([seen.slice(0, 5), seen.at(-1)]).toEqual([[503, 503, 503, 503, 503], 429])
})
