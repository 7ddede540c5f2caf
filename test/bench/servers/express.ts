import { hash } from 'node:crypto'
import express, { type Express, type RequestHandler } from 'express'
import { authenticate, requireScopes } from 'latchkey/express'
import { floorVerify } from '../floor.js'
import { peer } from '../peer.js'
import type { Credentials, Served } from './types.js'

type Passport = {
  use(strategy: object): unknown
  initialize(): RequestHandler
  authenticate(name: string, options: object): RequestHandler
}
type Jwt = { auth(options: object): RequestHandler }

/** One route, unprotected and behind each kind of protection. */
export async function expressVariants(credentials: Credentials): Promise<readonly Served[]> {
  const { tokens, records, jwt, jwtSecret } = credentials
  const api = (...guards: readonly RequestHandler[]): Express => {
    const app = express()
    for (const guard of guards) app.use('/api', guard)
    app.get('/api/stock', (_req, res) => {
      res.json({ bolts: 1200 })
    })
    return app
  }
  const optimum: RequestHandler = (req, res, next) => {
    const header = req.headers.authorization
    if (header?.startsWith('Bearer ') && floorVerify(records, 'acme_live', header.slice(7))) {
      req.principal = { tokenId: header.slice(17, 33), scopes: ['stock:read'] } as never
      next()
    } else res.status(401).end()
  }
  const idle: RequestHandler = (_req, _res, next) => next()
  const { auth } = await peer<Jwt>('express-oauth2-jwt-bearer')
  const byJwt = auth({ secret: jwtSecret, issuer: 'https://issuer.example/', audience: 'stock', tokenSigningAlg: 'HS256' })
  const passport = await createPassport(credentials)
  return [
    { name: 'bare', listener: api() },
    { name: 'two no-op middleware functions', listener: api(idle, idle) },
    { name: 'hand-written optimum', listener: api(optimum) },
    { name: 'latchkey', listener: api(authenticate(tokens), requireScopes('stock:read')) },
    { name: 'passport-http-bearer', listener: api(passport.initialize(), passport.authenticate('bearer', { session: false })) },
    { name: 'express-oauth2-jwt-bearer', listener: api(byJwt), credential: jwt },
  ]
}

async function createPassport({ records }: Credentials): Promise<Passport> {
  const { default: passport } = await peer<{ default: Passport }>('passport')
  const { Strategy } = (await peer<{ default: { Strategy: new (verify: object) => object } }>('passport-http-bearer')).default
  passport.use(
    new Strategy((token: string, done: (error: unknown, user: unknown) => void) => {
      const record = records.get(token.slice(10, 26))
      done(null, record?.digest === hash('sha256', token.slice(0, -6), 'hex') ? { id: token.slice(10, 26) } : false)
    }),
  )
  return passport
}
