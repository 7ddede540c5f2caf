/** latchkey on the standard Request and Response: `npx tsx examples/web.ts` calls the handler without a server. */
import { type Latchkey, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, management, requireScopes } from 'latchkey/web'
import { demoUser, tryOut } from './support/try-out.js'

const tokens: Latchkey = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})

const warehouseOf = (request: Request): string | undefined => new URL(request.url).pathname.split('/')[3]
const mayRead = requireScopes('inventory:read')
const mayWrite = requireScopes('inventory:write')
const mayReadHere = requireScopes('inventory:read', { warehouse: warehouseOf })
const manage = management(tokens, { mountPath: '/admin/tokens', actor: (request) => demoUser(request.headers.get('x-demo-user')) })

/** Pass this to `Bun.serve`, `Deno.serve`, a Worker's `fetch`, or a Next.js route. */
async function handle(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname.startsWith('/admin/tokens')) return manage(request)
  if (pathname === '/api/stock') return request.method === 'PUT' ? changeStock(request) : showStock(request)
  if (pathname.startsWith('/api/warehouses/')) return showWarehouse(request)
  return new Response('not found', { status: 404 })
}

async function showStock(request: Request): Promise<Response> {
  const { principal, response } = await authenticate(tokens, request, { require: mayRead, endpoint: '/api/stock' })
  return response ?? Response.json({ bolts: 1200, caller: principal.name })
}

async function changeStock(request: Request): Promise<Response> {
  const { response } = await authenticate(tokens, request, { require: mayWrite, endpoint: '/api/stock' })
  return response ?? new Response(null, { status: 204 })
}

async function showWarehouse(request: Request): Promise<Response> {
  const { response } = await authenticate(tokens, request, { require: mayReadHere, endpoint: '/api/warehouses/:id' })
  return response ?? Response.json({ warehouse: warehouseOf(request) })
}

try {
  await tryOut(tokens, (path, init) => handle(new Request(`http://localhost${path}`, init)))
} finally {
  await tokens.close()
}
