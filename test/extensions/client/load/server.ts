import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { latchkey, type TokenRecord } from 'latchkey'
import { authenticate, management, requireScopes } from 'latchkey/express'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { type Line, type ServerAsk, type ServerOptions, type ServerSays, SPEED } from './protocol.js'

// A server as in production: Express with SQLite, the guard and the management API. Started by `run-load.ts`.
const { database }: ServerOptions = JSON.parse(process.argv[2] ?? '')
const began = Date.now()
const clock = (): number => began + (Date.now() - began) * SPEED
const tokens = latchkey({
  clock,
  prefix: 'acme_live',
  store: sqliteStore(database),
  scopes: { 'inventory:read': 'See stock', 'tokens:rotate-self': 'Replace itself with a successor' },
})
const say = (message: ServerSays): void => void process.send?.(message)
const rotations: { [status: number]: number } = {}
let hold = false

const app = express()
app.use((_req, res, next) => {
  res.setHeader('date', new Date(clock()).toUTCString())
  next()
})
app.get('/api/stock', authenticate(tokens), requireScopes('inventory:read'), (req, res) => {
  res.json({ bolts: 1200, caller: req.principal?.tokenId })
})
app.post('/tokens/self/rotate', (_req, res, next) => {
  const held = hold
  hold = false
  res.on('finish', () => {
    rotations[res.statusCode] = (rotations[res.statusCode] ?? 0) + 1
  })
  if (held) {
    // The rotation is now in the database, but the client never receives the response.
    res.end = () => {
      say({ says: 'held' })
      return res
    }
  }
  next()
})
app.use('/tokens', management(tokens, { actor: () => undefined }))
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const { token } = await tokens.system.create({
  name: 'Warehouse sync',
  tenantId: 'acme',
  scopes: ['inventory:read', 'tokens:rotate-self'],
  rotateEvery: '1h',
})
say({ says: 'ready', origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token })

async function readLine(): Promise<Line> {
  const records: TokenRecord[] = []
  let cursor: string | undefined
  do {
    const page = await tokens.system.list({ limit: 1000, cursor })
    records.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== undefined)
  const replaced = records.flatMap(({ replacesId }) => replacesId ?? [])
  const last = records.filter(({ replacedById }) => replacedById === undefined)
  return {
    tokens: records.length,
    active: records.filter(({ status }) => status === 'active').length,
    faults: [
      ...replaced.filter((id, at) => replaced.indexOf(id) !== at).map((id) => `${id} was replaced twice`),
      ...last.filter(({ status }) => status !== 'active').map(({ id, status }) => `the last token, ${id}, is ${status}`),
      ...(last.length === 1 ? [] : [`${last.length} tokens are the last`]),
    ],
    rotations,
  }
}

process.on('message', async ({ ask }: ServerAsk) => {
  if (ask === 'hold') hold = true
  else say({ says: 'line', line: await readLine() })
})
process.on('disconnect', () => process.exit())
