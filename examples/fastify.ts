/** latchkey on Fastify: `npx tsx examples/fastify.ts` serves it on a free port, calls it, and stops. */
import Fastify, { type FastifyRequest } from 'fastify'
import { type Latchkey, latchkey } from 'latchkey'
import { authenticate, management, requireScopes } from 'latchkey/fastify'
import { memoryStore } from 'latchkey/stores/memory'
import { demoUser, tryOut } from './support/try-out.js'

const tokens: Latchkey = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})

type Params = { readonly id: string }
const warehouse = (request: FastifyRequest): string => (request.params as Params).id

const app = Fastify()
// The plugin guards all routes of the context that registers it, and no others.
await app.register(
  async (api) => {
    await api.register(authenticate, { tokens })
    api.get('/stock', { onRequest: requireScopes('inventory:read') }, async (request) => ({ bolts: 1200, caller: request.principal?.name }))
    api.put('/stock', { onRequest: requireScopes('inventory:write') }, async (_request, reply) => reply.code(204).send())
    api.get('/warehouses/:id', { onRequest: requireScopes('inventory:read', { warehouse }) }, async (request) => ({
      warehouse: warehouse(request),
    }))
  },
  { prefix: '/api' },
)
await app.register(management, {
  prefix: '/admin/tokens',
  tokens,
  actor: (request) => demoUser(request.headers['x-demo-user']?.toString()),
})

const origin = await app.listen({ port: 0, host: '127.0.0.1' })
try {
  await tryOut(tokens, (path, init) => fetch(origin + path, init))
} finally {
  await app.close()
  await tokens.close()
}
