// Webhooks: an event is sent to a receiver, which verifies it with the reference library. A receiver that was down gets it again with the same ID.
// Run it with `npx tsx examples/webhooks.ts`.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { webhooks } from 'latchkey/webhooks'
import { Webhook } from 'standardwebhooks'

const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock' },
  logger: false,
})

// A stand-in for another party's system. It shares only a secret with the sender.
const seen = new Set<string>()
let verifier: Webhook | undefined
let isDown = true
const receiver = express()
// Keeps the raw bytes, because a parsed body can no longer be verified. latchkey sends at most 64 KiB.
receiver.post('/hooks', express.raw({ type: 'application/json', limit: '128kb' }), (request, response) => {
  if (isDown) {
    isDown = false
    console.log('the receiver is down')
    response.sendStatus(503)
    return
  }
  let message: { type: string; data: { id: string; reason?: string } }
  try {
    message = verifier?.verify(request.body, request.headers as Record<string, string>) as typeof message
  } catch {
    response.sendStatus(400)
    return
  }
  console.log(`the receiver got ${message.type}${seen.has(message.data.id) ? ' again' : ''}: ${message.data.reason}`)
  seen.add(message.data.id)
  response.sendStatus(204)
  done()
})
let done = (): void => undefined
const delivered = new Promise<void>((resolve) => {
  done = resolve
})
const server = receiver.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
const url = `http://127.0.0.1:${port}/hooks`

const hooks = webhooks(tokens, {
  // In production, use a separate secret from your secret store.
  webhookKey: crypto.getRandomValues(new Uint8Array(32)),
  endpoints: [{ id: 'crm', url, actions: ['token.revoked'], from: 'start' }],
  // Only for examples and tests: allows receivers on this machine.
  allowPrivate: ['127.0.0.1'],
  retry: { first: 0.1 },
})
verifier = new Webhook(hooks.secretOf('crm'))

const { record } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'], expiresIn: '90d' })
await tokens.system.revoke(record.id, { reason: 'laptop lost' })
await delivered

const forged = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"type":"token.revoked"}' })
console.log(`a forged request: ${forged.status}`)
console.log(`dead letters: ${(await hooks.deadLetters()).length}`)
await tokens.close()
server.close()
