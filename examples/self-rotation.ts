/**
 * An integration that rotates its own token on a schedule, over plain HTTP and under full load, without manual steps or failed requests.
 *
 * `latchkey/client` does this for you, and handles lost responses and crashes: see `examples/client.ts`.
 *
 * Run it: `npx tsx examples/self-rotation.ts`
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { latchkey } from 'latchkey'
import { authenticate, management, requireScopes } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'

const ROTATIONS = 4
const WORKERS = 8
const OVERLAP_SECONDS = 1

// The server: an API and the management API. No one is signed in here, so only /self and /self/rotate respond.
const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'tokens:rotate-self': 'Replace itself with a successor' },
})
const app = express()
app.get('/stock', authenticate(tokens), requireScopes('inventory:read'), (_req, res) => {
  res.json({ bolts: 1200 })
})
app.use('/tokens', management(tokens, { actor: () => undefined }))
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

// The integration: it gets a token once.
const first = await tokens.system.create({
  name: 'Warehouse sync',
  tenantId: 'acme',
  scopes: ['inventory:read', 'tokens:rotate-self'],
  rotateEvery: '1h',
})
let current = first.token
const retired: string[] = []
const outcomes = new Map<number, number>()
let working = true

/** Sends requests continuously, always with the current token. */
async function work(): Promise<void> {
  while (working) {
    const response = await fetch(`${origin}/stock`, { headers: { authorization: `Bearer ${current}` } })
    await response.arrayBuffer()
    outcomes.set(response.status, (outcomes.get(response.status) ?? 0) + 1)
  }
}

/** Waits until the token is due for rotation, and replaces it. The overlap is for requests in flight with the old token. */
async function rotateWhenDue(): Promise<void> {
  const headers = { authorization: `Bearer ${current}`, 'content-type': 'application/json' }
  const self = (await (await fetch(`${origin}/tokens/self`, { headers })).json()) as { record: { id: string; rotationDueAt: string } }
  // The rotation is due after an hour. In this example, it counts as due after a second.
  const dueIn = Math.max(0, Date.parse(self.record.rotationDueAt) - Date.now())
  await new Promise((resolve) => setTimeout(resolve, Math.min(dueIn, 1000)))
  const response = await fetch(`${origin}/tokens/self/rotate`, {
    method: 'POST',
    // One random key per rotation: a repeated request does not rotate twice, and can recover a lost response.
    headers: { ...headers, 'idempotency-key': crypto.randomUUID() },
    body: JSON.stringify({ overlap: OVERLAP_SECONDS }),
  })
  if (response.status !== 201) throw new Error(`the rotation answered ${response.status}: ${await response.text()}`)
  const { token } = (await response.json()) as { token: string }
  // In your own integration, store it durably here, before using it.
  retired.push(current)
  current = token
}

try {
  const workers = Array.from({ length: WORKERS }, work)
  for (let rotation = 1; rotation <= ROTATIONS; rotation += 1) {
    await rotateWhenDue()
    console.log(`rotated ${rotation} of ${ROTATIONS}`)
  }
  working = false
  await Promise.all(workers)
  await new Promise((resolve) => setTimeout(resolve, OVERLAP_SECONDS * 1000 + 50))
  const alive = await Promise.all(retired.map(async (token) => (await tokens.verify(token)).ok))
  const succeeded = outcomes.get(200) ?? 0
  const failed = [...outcomes.values()].reduce((sum, count) => sum + count, 0) - succeeded
  console.log(`${succeeded} requests succeeded, ${failed} failed, ${alive.filter(Boolean).length} old tokens still work`)
  if (succeeded === 0 || failed > 0 || alive.some(Boolean)) process.exitCode = 1
} finally {
  working = false
  server.close()
  server.closeAllConnections()
  await tokens.close()
}
