// `npm start` runs this: an inventory API on Express with its tokens in a SQLite file. It prints commands to try.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import express, { type Request } from 'express'
import { latchkey } from 'latchkey'
import { dashboard } from 'latchkey/dashboard'
import { authenticate, management, requireScopes } from 'latchkey/express'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { stopWithParent } from './support/stop-with-parent.js'
import { firstToken, printTour } from './support/tour.js'

const port = Number(process.env.PORT ?? 3000)
const file = process.env.TOKENS_DB ?? 'tokens.db'
// A placeholder for your own sign-in: anyone with this key manages the tokens. A new key is created on every start.
const adminKey = process.env.ADMIN_KEY ?? randomBytes(18).toString('base64url')

const tokens = latchkey({
  prefix: 'acme_live',
  store: sqliteStore(file),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})

const stock = new Map([
  ['bolts', 1200],
  ['nuts', 800],
])

const app = express()
app.use('/api', authenticate(tokens))
app.get('/api/stock', requireScopes('inventory:read'), (req, res) => {
  res.json({ stock: Object.fromEntries(stock), caller: req.principal?.name })
})
app.put('/api/stock/:item', requireScopes('inventory:write'), express.json(), (req, res) => {
  const count: unknown = req.body?.count
  if (typeof count !== 'number') {
    res.status(400).json({ error: 'send {"count": 5}' })
    return
  }
  stock.set(String(req.params.item), count)
  res.json({ stock: Object.fromEntries(stock) })
})
app.use('/admin/tokens', management(tokens, { actor: administrator, dashboard: dashboard({ title: 'Inventory API' }) }))
// Lets a browser open the page, too.
app.get('/sign-in', (req, res) => {
  res.cookie('admin', String(req.query.key), { httpOnly: true, sameSite: 'strict' }).redirect('/admin/tokens/')
})

function administrator(req: Request): { id: string; tenants: '*'; manages: 'all' } | undefined {
  const given = Buffer.from(req.get('x-admin-key') ?? /(?:^|; )admin=([^;]*)/.exec(req.get('cookie') ?? '')?.[1] ?? '')
  const wanted = Buffer.from(adminKey)
  const right = given.length === wanted.length && timingSafeEqual(given, wanted)
  return right ? { id: 'admin', tenants: '*', manages: 'all' } : undefined
}

const server = app.listen(port, '127.0.0.1')
server.on('error', (error: NodeJS.ErrnoException) => {
  console.error(
    error.code === 'EADDRINUSE'
      ? `Port ${port} is taken. Choose another: PORT=${port + 1} npm start`
      : `Cannot listen on port ${port}: ${error.message}`,
  )
  process.exitCode = 1
  void tokens.close()
})
server.on('listening', async () => {
  try {
    const first = await firstToken(tokens)
    printTour({ origin: `http://127.0.0.1:${port}`, file, adminKey, first })
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
    stop()
  }
})

function stop(): void {
  server.close(() => void tokens.close().then(() => console.log('\nStopped; the tokens are kept.')))
  server.closeAllConnections()
}
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
stopWithParent(stop)
