import { hash } from 'node:crypto'
import Router from '@koa/router'
import Koa, { type Middleware } from 'koa'
import { authenticate, requireScopes } from 'latchkey/koa'
import { floorVerify } from '../floor.js'
import { peer } from '../peer.js'
import type { Credentials, Served } from './types.js'

type Passport = { use(strategy: object): unknown; initialize(): Middleware; authenticate(name: string, options: object): Middleware }

/** One route, unprotected and behind each kind of protection. */
export async function koaVariants({ tokens, records, jwt, jwtSecret }: Credentials): Promise<readonly Served[]> {
  const api = (...guards: readonly Middleware[]): Koa => {
    const app = new Koa()
    const router = new Router()
    router.get('/api/stock', (ctx) => {
      ctx.body = { bolts: 1200 }
    })
    for (const guard of guards) app.use(guard)
    app.use(router.routes())
    return app
  }
  const optimum: Middleware = (ctx, next) => {
    const header = ctx.req.headers.authorization
    if (header?.startsWith('Bearer ') && floorVerify(records, 'acme_live', header.slice(7))) {
      ctx.state.caller = { tokenId: header.slice(17, 33), scopes: ['stock:read'] }
      return next()
    }
    ctx.status = 401
    return undefined
  }
  const { default: passport } = await peer<{ default: Passport }>('koa-passport')
  const { Strategy } = (await peer<{ default: { Strategy: new (verify: object) => object } }>('passport-http-bearer')).default
  passport.use(
    new Strategy((token: string, done: (error: unknown, user: unknown) => void) => {
      const record = records.get(token.slice(10, 26))
      done(null, record?.digest === hash('sha256', token.slice(0, -6), 'hex') ? { id: token.slice(10, 26) } : false)
    }),
  )
  const { default: koaJwt } = await peer<{ default: (options: object) => Middleware }>('koa-jwt')
  const byPassport = [passport.initialize(), passport.authenticate('bearer', { session: false })]
  return [
    { name: 'bare', listener: api().callback() },
    { name: 'hand-written optimum', listener: api(optimum).callback() },
    { name: 'latchkey', listener: api(authenticate(tokens), requireScopes('stock:read')).callback() },
    { name: 'koa-passport', listener: api(...byPassport).callback() },
    { name: 'koa-jwt', listener: api(koaJwt({ secret: jwtSecret, audience: 'stock' })).callback(), credential: jwt },
  ]
}
