// A gateway exchanges API tokens for signed tokens. Two services behind it verify them offline, and each accepts only tokens issued for it.
import { once } from 'node:events'
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { latchkey } from 'latchkey'
import { authenticate, requireScopes } from 'latchkey/hono'
import { exchange, generateSigningKey, jwks, verifySigned } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'

const servers: Server[] = []

async function listen(app: Hono): Promise<string> {
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server
  servers.push(server)
  await once(server, 'listening')
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

// The gateway: only it has the store.
const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'billing:read': 'See invoices' },
})
const key = await generateSigningKey()
const issuer = 'https://auth.example'
const buy = exchange(tokens, { issuer, audiences: ['stock', 'billing'], keys: [key] })
const publish = jwks([key])
const gateway = new Hono()
gateway.post('/token', (c) => buy(c.req.raw))
gateway.get('/.well-known/jwks.json', (c) => publish(c.req.raw))
const auth = await listen(gateway)

// The services: each knows the gateway's public keys and its own name.
function service(audience: string, scope: string): Promise<string> {
  const app = new Hono()
  app.use('*', authenticate(verifySigned({ issuer, audience, keys: { url: `${auth}/.well-known/jwks.json` } })))
  app.get('/', requireScopes(scope), (c) => c.json({ service: audience, caller: c.var.principal?.name }))
  return listen(app)
}
const stock = await service('stock', 'inventory:read')
const billing = await service('billing', 'billing:read')

const { token } = await tokens.system.create({ name: 'ERP', tenantId: 'acme', scopes: ['inventory:read', 'billing:read'] })
const answer = await fetch(`${auth}/token`, {
  method: 'POST',
  body: new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: token,
    audience: 'stock',
    scope: 'inventory:read',
  }),
})
const { access_token: signed, expires_in: seconds } = (await answer.json()) as { access_token: string; expires_in: number }
console.log(`exchanged: valid for ${seconds} seconds`)

const call = async (url: string, credential: string): Promise<string> => {
  const response = await fetch(url, { headers: { authorization: `Bearer ${credential}` } })
  return `${response.status} ${await response.text()}`
}
console.log(`stock with the signed token: ${await call(stock, signed)}`)
console.log(`billing with the token for stock: ${await call(billing, signed)}`)
console.log(`stock with the API token: ${await call(stock, token)}`)

for (const server of servers) server.close()
await tokens.close()
