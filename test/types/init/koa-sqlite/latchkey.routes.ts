import Router from '@koa/router'
import { authenticate, requireScopes } from 'latchkey/koa'
import { tokens } from './latchkey.config.js'

// Use it in your application: app.use(api.routes())
export const api = new Router()
api.use(authenticate(tokens))
api.get('/api/stock', requireScopes('inventory:read'), (ctx) => {
  ctx.body = { caller: ctx.state.principal?.name }
})
