/** latchkey on Koa with @koa/router and koa-mount: `npx tsx examples/koa.ts` serves it on a free port, calls it, and stops. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Router from '@koa/router'
import Koa from 'koa'
import mount from 'koa-mount'
import { type Latchkey, latchkey } from 'latchkey'
import { authenticate, management, requireScopes } from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import { demoUser, tryOut } from './support/try-out.js'

const tokens: Latchkey = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})

// The guard is in a router without a prefix, together with the routes it guards: see docs/frameworks/koa.md.
const guarded = new Router()
guarded.use(authenticate(tokens))
guarded.get('/api/stock', requireScopes('inventory:read'), (ctx) => {
  ctx.body = { bolts: 1200, caller: ctx.state.principal?.name }
})
guarded.put('/api/stock', requireScopes('inventory:write'), (ctx) => {
  ctx.status = 204
})
guarded.get('/api/warehouses/:id', requireScopes('inventory:read', { warehouse: (ctx) => ctx.params.id }), (ctx) => {
  ctx.body = { warehouse: ctx.params.id }
})

const app = new Koa()
app.use(guarded.routes())
app.use(mount('/admin/tokens', management(tokens, { actor: (ctx) => demoUser(ctx.get('x-demo-user')) })))

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
try {
  await tryOut(tokens, (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init))
} finally {
  server.close()
  server.closeAllConnections()
  await tokens.close()
}
