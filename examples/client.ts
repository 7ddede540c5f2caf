/**
 * A service that keeps its token in a file, rotates it with no human and without one failed request, and finds it again after a restart.
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
  rotateEvery: '30d',
})
const folder = await mkdtemp(join(tmpdir(), 'erp-'))
const file = join(folder, 'token')
const started = () => createClient({ manage: `${origin}/admin/tokens`, token, overlap: '5s', ...fileStorage(file) })

try {
  const client = started()
  const callers = new Set<string>()
  let failed = 0
  let working = true
  const work = async (): Promise<void> => {
    while (working) {
      const response = await client.fetch(`${origin}/api/stock`)
      const { caller } = (await response.json()) as { caller: string }
      callers.add(caller)
      if (response.status !== 200) failed += 1
    }
  }
  const workers = [work(), work(), work(), work()]
  // It would happen by itself after thirty days, and nobody wants to wait for that here.
  for (let rotation = 1; rotation <= 3; rotation += 1) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    await client.rotate()
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
  working = false
  await Promise.all(workers)
  console.log(`worked with ${callers.size} tokens, ${failed} requests failed`)

  // The next start has the first token in its environment still, which is to end. The file knows better.
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
