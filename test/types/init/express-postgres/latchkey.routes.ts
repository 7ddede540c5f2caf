import express from 'express'
import { authenticate, requireScopes } from 'latchkey/express'
import { tokens } from './latchkey.config.js'

// Mount it in your application: app.use('/api', api)
export const api = express.Router()
api.use(authenticate(tokens))
api.get('/stock', requireScopes('inventory:read'), (req, res) => {
  res.json({ caller: req.principal?.name })
})
