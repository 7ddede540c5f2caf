import { expect, it } from 'vitest'
import { authenticate as fastifyAuthenticate } from '../../adapters/frameworks/fastify.js'
import { authenticate } from '../../adapters/frameworks/web.js'
import { testLatchkey } from '../../src/testing/index.js'

it("authenticate() for web requests says how to write a scope given as text in 'require'", async () => {
  const { tokens, tokenFor } = testLatchkey({ scopes: { 'inventory:read': 'See stock' } })
  const headers = { authorization: `Bearer ${await tokenFor({ scopes: ['inventory:read'] })}` }
  const tried = authenticate(tokens, new Request('https://x/stock', { headers }), { require: 'inventory:read' as never })
  await expect(tried).rejects.toMatchObject({ code: 'invalid_input', message: expect.stringContaining("requireScopes('inventory:read')") })
  await tokens.close()
})

it('authenticate of Fastify says that it must be registered if it is called as on other frameworks', async () => {
  const { tokens } = testLatchkey({ scopes: { 'inventory:read': 'See stock' } })
  const called = (fastifyAuthenticate as (tokens: unknown) => Promise<void>)(tokens)
  await expect(called).rejects.toThrow('app.register(authenticate, { tokens })')
  await tokens.close()
})
