// A team moves its own table of 10,000 SHA-256 keys to latchkey while its clients keep calling. Run it with `npx tsx examples/importing.ts`.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import { latchkey } from 'latchkey'
import { authenticate, requireScopes } from 'latchkey/express'
import { sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'

const KEYS = 10_000
const CLIENTS = 8

// The team's current code: a table of hashes, and middleware that looks them up.
type Row = { readonly hash: string; readonly label: string; readonly user: string; readonly revoked: boolean }
const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex')
const keys = Array.from({ length: KEYS }, () => `sk_${randomBytes(16).toString('hex')}`)
const table = new Map<string, Row>(
  keys.map((key, at) => [hashOf(key), { hash: hashOf(key), label: `Key ${at}`, user: `u${at % 100}`, revoked: at % 100 === 99 }]),
)
const oldMiddleware: RequestHandler = (req, res, next) => {
  const row = table.get(hashOf(req.get('authorization')?.slice('Bearer '.length) ?? ''))
  if (row === undefined || row.revoked) res.status(401).end()
  else next()
}

// The new code.
const old = sha256Tokens({ prefix: 'sk_', length: 35 })
const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock' },
  imports: { key: process.env.IMPORT_KEY ?? randomBytes(32).toString('base64'), formats: [old] },
})
const newMiddleware: RequestHandler = express.Router().use(authenticate(tokens), requireScopes('inventory:read'))

const app = express()
// Here, the clients themselves play the proxy in front of the server that says which client sent a request.
app.set('trust proxy', 'loopback')
let guard = oldMiddleware
app.get(
  '/api/stock',
  (req, res, next) => guard(req, res, next),
  (_req, res) => void res.json({ bolts: 1200 }),
)
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/stock`
const call = async (key: string, client = 0): Promise<number> => {
  const response = await fetch(url, { headers: { authorization: `Bearer ${key}`, 'x-forwarded-for': `192.0.2.${client}` } })
  await response.arrayBuffer()
  return response.status
}

// Clients that call continuously, each using its own keys in turn.
const answers = { before: 0, during: 0, after: 0, refused: 0 }
let phase: 'before' | 'during' | 'after' = 'before'
let stopped = false
const enough = async (wanted: typeof phase): Promise<void> => {
  phase = wanted
  while (answers[wanted] < 50) await new Promise((resolve) => setTimeout(resolve, 10))
}
const client = async (first: number): Promise<void> => {
  for (let at = first; !stopped; at = (at + CLIENTS) % KEYS) {
    if (at % 100 === 99) continue
    if ((await call(keys[at] ?? '', first)) === 200) answers[phase] += 1
    else answers.refused += 1
  }
}
const clients = Promise.all(Array.from({ length: CLIENTS }, (_, first) => client(first)))
await enough('before')

// The move.
const map = (row: Row) => (row.revoked ? undefined : { name: row.label, ownerId: row.user, scopes: ['inventory:read' as const] })
const tried = await tokens.system.import(table.values(), { format: old, map, dryRun: true })
console.log(`dry run: ${tried.imported} of ${tried.rows} keys, ${tried.skipped} revoked ones left out, ${tried.failed} problems`)
phase = 'during'
const report = await tokens.system.import(table.values(), {
  format: old,
  map,
  // Lets pending requests run after every hundred rows.
  onProgress: () => new Promise((resolve) => setImmediate(resolve)),
})
console.log(`imported: ${report.imported}, problems: ${report.failed}`)
await enough('during')
guard = newMiddleware
await enough('after')
stopped = true
await clients
console.log(`before, during and after the move: calls answered, ${answers.refused} refused`)

// Old keys are now ordinary tokens.
const [key = '', other = '', revoked = ''] = [keys[0], keys[1], keys[99]]
const { record } = await tokens.introspect(key)
const rotated = await tokens.system.rotate(record?.id ?? '', { overlap: '1h' })
console.log(`rotated with an overlap: old key ${await call(key)}, new token ${await call(rotated.token)}`)
await tokens.system.revokeAll({ ownerId: 'u1' })
console.log(`revoked: ${await call(other)}, revoked in the old table: ${await call(revoked)}`)
const again = await tokens.system.import(table.values(), { format: old, map })
console.log(`imported again: ${again.existing} were there, ${again.imported} new; still revoked: ${await call(other)}`)

server.close()
server.closeAllConnections()
await tokens.close()
