/**
 * A service that keeps its token in a file and rotates it on its schedule, with no human and without one failed request.
 *
 * Run it: `npx tsx examples/client.ts`
 */
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import { latchkey } from 'latchkey'
import { createClient } from 'latchkey/client'
import { fileStorage } from 'latchkey/client/node'
import { authenticate, management, requireScopes } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'

// The server: an API, and the management API beside it. Nobody is signed in here, so only /self and /self/rotate answer.
const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'tokens:rotate-self': 'Replace itself by a successor' },
})
const app = express()
app.get('/api/stock', authenticate(tokens), requireScopes('inventory:read'), (req, res) => {
  res.json({ bolts: 1200, caller: req.principal?.tokenId })
})
app.use('/admin/tokens', management(tokens, { actor: () => undefined }))
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

// The holder: all it gets is a token, once, and it keeps that in a file.
const { token } = await tokens.system.create({
  name: 'ERP',
  tenantId: 'acme',
  scopes: ['inventory:read', 'tokens:rotate-self'],
  rotateEvery: '1s',
})
const folder = await mkdtemp(join(tmpdir(), 'erp-'))
const file = join(folder, 'token')
const started = () => createClient({ manage: `${origin}/admin/tokens`, token, overlap: '5s', ...fileStorage(file) })

try {
  const client = started()
  const statuses = new Map<number, number>()
  const callers = new Set<string>()
  while (callers.size < 4) {
    const response = await client.fetch(`${origin}/api/stock`)
    const { caller } = (await response.json()) as { caller: string }
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
    callers.add(caller)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await client.settled()
  console.log(
    `rotated ${callers.size - 1} times, answers other than 200: ${[...statuses.keys()].filter((status) => status !== 200).length}`,
  )

  // The next start has the first token in its environment still, which has ended by now. The file knows better.
  const restarted = started()
  console.log(`after a restart: ${(await restarted.fetch(`${origin}/api/stock`)).status}`)
  await restarted.settled()
  console.log(`the file holds a token that works: ${(await tokens.verify((await readFile(file, 'utf8')).trim())).ok}`)
} finally {
  server.close()
  server.closeAllConnections()
  await tokens.close()
  await rm(folder, { recursive: true, force: true })
}
