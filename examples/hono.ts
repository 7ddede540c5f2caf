/** latchkey on Hono, on Node: `npx tsx examples/hono.ts` serves it on a free port, calls it, and stops. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono } from 'hono'
import { type Latchkey, latchkey } from 'latchkey'
import { authenticate, management, requireScopes } from 'latchkey/hono'
import { memoryStore } from 'latchkey/stores/memory'
import { demoUser, tryOut } from './support/try-out.js'

const tokens: Latchkey = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})

const app = new Hono()
// Hono does not provide the client's address, so say where to find it.
app.use('/api/*', authenticate(tokens, { ip: (c) => getConnInfo(c).remote.address }))
app.get('/api/stock', requireScopes('inventory:read'), (c) => c.json({ bolts: 1200, caller: c.var.principal?.name }))
app.put('/api/stock', requireScopes('inventory:write'), (c) => c.body(null, 204))
app.get('/api/warehouses/:id', requireScopes('inventory:read', { warehouse: (c) => c.req.param('id') }), (c) =>
  c.json({ warehouse: c.req.param('id') }),
)
app.route('/admin/tokens', management(tokens, { actor: (c) => demoUser(c.req.header('x-demo-user')) }))

const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
if (!server.listening) await once(server, 'listening')
const { port } = server.address() as AddressInfo
try {
  await tryOut(tokens, (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init))
} finally {
  server.close()
  await tokens.close()
}
