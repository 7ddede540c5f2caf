// A scanner finds a token on the public web and reports it. The same request revokes the token.
import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { latchkey } from 'latchkey'
import { authenticate } from 'latchkey/hono'
import { leakReports } from 'latchkey/leaks'
import { memoryStore } from 'latchkey/stores/memory'

// A stand-in for the scanner, which publishes its key and signs its reports.
const scanner = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const published = { public_keys: [{ key_identifier: 'key-1', key: scanner.publicKey.export({ type: 'spki', format: 'pem' }) }] }

const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock' },
  onEvent: (event) => {
    if (event.action === 'token.leaked') console.log(`Write to the owner of ${event.tokenId}: it was found at ${event.details?.url}`)
  },
})
const report = leakReports(tokens, { action: 'revoke', fetch: async () => Response.json(published) })

const app = new Hono()
app.post('/leaks', (c) => report(c.req.raw))
app.use('/api/*', authenticate(tokens))
app.get('/api/stock', (c) => c.json({ bolts: 1200, caller: c.var.principal?.name }))

const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server
await once(server, 'listening')
const address = server.address()
const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`

const { token } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
const call = async (): Promise<number> => (await fetch(`${origin}/api/stock`, { headers: { authorization: `Bearer ${token}` } })).status
console.log(`with the token: ${await call()}`)

const body = JSON.stringify([{ token, type: 'acme_token', url: 'https://github.com/octocat/hello/blob/main/.env', source: 'content' }])
const answer = await fetch(`${origin}/leaks`, {
  method: 'POST',
  headers: {
    'content-type': 'application/json',
    'github-public-key-identifier': 'key-1',
    'github-public-key-signature': sign('sha256', Buffer.from(body), scanner.privateKey).toString('base64'),
  },
  body,
})
console.log(`reported: ${answer.status} ${JSON.stringify(await answer.json())}`)
console.log(`with the token: ${await call()}`)

server.close()
await tokens.close()
