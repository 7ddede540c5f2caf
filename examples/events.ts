// A stream of server-sent events that ends when its token expires or is revoked or deactivated, on any node.
// Run it with `npx tsx examples/events.ts`, and paste the lines that it prints.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { latchkey } from 'latchkey'
import { authenticate, requireScopes } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'

const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock' },
})

const app = express()
app.use('/api', authenticate(tokens))
app.get('/api/stock/events', requireScopes('inventory:read'), (req, res) => {
  const signal = req.principal?.signal
  if (signal === undefined) return
  res.set({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  res.write('event: hello\ndata: {}\n\n')

  let bolts = 1200
  const timer = setInterval(() => {
    bolts -= 1
    res.write(`event: stock\ndata: ${JSON.stringify({ bolts })}\n\n`)
  }, 250)
  const end = (): void => {
    clearInterval(timer)
    // The reason's code: `token_revoked`, `token_expired` …
    res.end(`event: end\ndata: ${JSON.stringify({ code: signal.reason.code })}\n\n`)
  }
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  res.on('close', () => clearInterval(timer))
})
// A placeholder for the page on which your users revoke their tokens.
app.post('/revoke/:id', (req, res, next) => {
  tokens.system
    .revoke(req.params.id, { reason: 'asked for' })
    .then(() => res.json({ revoked: true }))
    .catch(next)
})

const server = app.listen(Number(process.env.PORT ?? 0), '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const { token, record } = await tokens.system.create({ name: 'Stock ticker', scopes: ['inventory:read'] })
console.log(`Follow the stock:\n  curl -N -H 'Authorization: Bearer ${token}' ${origin}/api/stock/events`)
console.log(`and end the stream from another terminal:\n  curl -X POST ${origin}/revoke/${record.id}`)

function stop(): void {
  server.close()
  void tokens.close().then(() => server.closeAllConnections())
}
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
