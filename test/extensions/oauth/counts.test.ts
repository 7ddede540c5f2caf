import { latchkey } from 'latchkey'
import { introspection, whoami } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { expect, it } from 'vitest'

const world = async () => {
  const limiter = new RateLimiterMemory({ points: 1, duration: 60 })
  const rateLimit = { limits: [{ name: 'token', by: 'token', limiter }], onFailure: 'refuse' } as const
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { a: 'b' }, rateLimit })
  const { token, record } = await tokens.system.create({ name: 'ERP', scopes: ['a'] })
  return { tokens, token, record }
}

it('a call to whoami counts as one use and toward the rate limits', async () => {
  const { tokens, token, record } = await world()
  const me = whoami(tokens)
  const ask = () => me(new Request('https://api.example/whoami', { headers: { authorization: `Bearer ${token}` } }))
  expect((await ask()).status).toBe(200)
  expect((await ask()).status).toBe(429)
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: 1, refused: 1 })
  await tokens.close()
})

it('introspection does not count as a use', async () => {
  const { tokens, token, record } = await world()
  const introspect = introspection(tokens, { client: () => ({ id: 'stock', tenants: '*' }) })
  for (let times = 0; times < 3; times += 1) {
    const body = new URLSearchParams({ token })
    const response = await introspect(new Request('https://api.example/introspect', { method: 'POST', body }))
    expect(await response.json()).toMatchObject({ active: true })
  }
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0, refused: 0 })
  await tokens.close()
})
