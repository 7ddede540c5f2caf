/**
 * A service that keeps its token in a file, rotates it without manual steps or failed requests, and still has it after a restart.
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

// The server: an API and the management API. No one is signed in here, so only /self and /self/rotate respond.
const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'tokens:rotate-self': 'Replace itself with a successor' },
})
const app = express()
app.get('/api/stock', authenticate(tokens), requireScopes('inventory:read'), (req, res) => {
  res.json({ bolts: 1200, caller: req.principal?.tokenId })
})
app.use('/admin/tokens', management(tokens, { actor: () => undefined }))
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

// The holder: it gets a token once, and keeps it in a file.
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
  // Rotation would happen automatically after thirty days. This example does not wait for that.
  for (let rotation = 1; rotation <= 3; rotation += 1) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    await client.rotate()
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
  working = false
  await Promise.all(workers)
  console.log(`${callers.size} tokens worked, ${failed} requests failed`)

  // After a restart, the environment still contains the first token, which has been replaced. The file has the current token.
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
