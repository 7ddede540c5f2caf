import { Hono } from 'hono'
import { authenticate, requireScopes } from 'latchkey/hono'
import { tokens } from './latchkey.config.js'

// Mount it in your application: app.route('/api', api)
export const api = new Hono()
api.use(authenticate(tokens))
api.get('/stock', requireScopes('inventory:read'), (c) => c.json({ caller: c.var.principal?.name }))
