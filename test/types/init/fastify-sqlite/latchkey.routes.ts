import type { FastifyInstance } from 'fastify'
import { authenticate, requireScopes } from 'latchkey/fastify'
import { tokens } from './latchkey.config.js'

// Register it in your application: await app.register(api, { prefix: '/api' })
export async function api(app: FastifyInstance): Promise<void> {
  await app.register(authenticate, { tokens })
  app.get('/stock', { onRequest: requireScopes('inventory:read') }, async (request) => ({ caller: request.principal?.name }))
}
