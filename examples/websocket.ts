// WebSockets with tokens: programs send theirs in a header, and pages exchange theirs for a ticket first. Run it: npx tsx examples/websocket.ts
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler } from 'express'
import { isLatchkeyError, latchkey } from 'latchkey'
import { authenticate } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticateUpgrade, createTicket, type UpgradeOptions } from 'latchkey/ws'
import { WebSocket, WebSocketServer } from 'ws'

const tokens = latchkey({ prefix: 'acme_test', store: memoryStore(), scopes: { 'stock:watch': 'Follow stock' } })

const app = express()
app.post('/ticket', authenticate(tokens), (req, res, next) => {
  createTicket(tokens, req.principal)
    .then((ticket) => res.set('cache-control', 'no-store').json(ticket))
    .catch(next)
})
// Returns errors from createTicket(), such as rate_limited, in the same form as every other refusal.
const answerErrors: ErrorRequestHandler = (error, _req, res, next) => {
  if (!isLatchkeyError(error) || res.headersSent) return next(error)
  const { status, code, message: detail, retryAfterSeconds } = error
  if (retryAfterSeconds !== undefined) res.set('retry-after', String(retryAfterSeconds))
  res.status(status).type('application/problem+json').json({ status, detail, code })
}
app.use(answerErrors)

const options: UpgradeOptions = { scopes: 'stock:watch' }
const sockets = new WebSocketServer({ noServer: true })
sockets.on('connection', (webSocket) => webSocket.send('bolts: 1200'))

const server = createServer(app)
server.on('upgrade', async (request, socket, head) => {
  const upgrade = await authenticateUpgrade(tokens, request, options)
  if (!upgrade.ok) return upgrade.reject(socket)
  sockets.handleUpgrade(request, socket, head, (webSocket) => {
    upgrade.watch(webSocket)
    // Without a listener, an invalid frame would end the process.
    webSocket.on('error', console.error)
    sockets.emit('connection', webSocket, request, upgrade.principal)
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

const { token, record } = await tokens.system.create({ name: 'Stock screen', scopes: ['stock:watch'] })
const headers = { authorization: `Bearer ${token}` }

// A program.
const program = new WebSocket(`ws://127.0.0.1:${port}/`, { headers })
console.log('by its token:', String((await once(program, 'message'))[0]))

// A page: a browser cannot set headers on a WebSocket, so it offers the ticket alongside one of the application's subprotocols.
const answer = await fetch(`http://127.0.0.1:${port}/ticket`, { method: 'POST', headers })
const { protocol } = (await answer.json()) as { protocol: string }
const page = new WebSocket(`ws://127.0.0.1:${port}/`, [protocol, 'stock.v1'])
console.log('by a ticket:', String((await once(page, 'message'))[0]), `(${page.protocol})`)

const second = new WebSocket(`ws://127.0.0.1:${port}/`, [protocol, 'stock.v1'])
console.log('with the same ticket again:', String((await once(second, 'error'))[0].message))

const ended = Promise.all([once(program, 'close'), once(page, 'close')])
await tokens.system.revoke(record.id, { reason: 'the screen was sold' })
for (const [code, reason] of await ended) console.log('closed:', code, String(reason))

server.close()
server.closeAllConnections()
await tokens.close()
