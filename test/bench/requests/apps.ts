import { createServer, type Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import Router from '@koa/router'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { routePath } from 'hono/route'
import Koa from 'koa'
import type { HandGuard } from './guard.js'

/** The adapter in a build of latchkey: the `authenticate` and `requireScopes` of any framework. */
export type Adapter = { readonly authenticate: (...args: never[]) => never; readonly requireScopes: (scope: string) => never }

/** How an application's one route is protected: not at all, by hand-written code, or by a build of latchkey. */
export type Protection =
  | undefined
  | { readonly hand: HandGuard; readonly adapter?: undefined }
  | { readonly adapter: Adapter; readonly tokens: object; readonly hand?: undefined }

const SCOPE = 'stock:read'
const STOCK = { bolts: 1200 }

/** Applications with one route, `GET /api/stock`, each written as in its framework's guide. */
export const apps: { readonly [framework: string]: (by: Protection) => Promise<Server> } = {
  async express(by) {
    const app = express()
    if (by?.adapter !== undefined) app.use('/api', callOf(by.adapter.authenticate)(by.tokens), by.adapter.requireScopes(SCOPE))
    const hand = by?.hand
    if (hand !== undefined) {
      app.use('/api', (req, res, next) => {
        const { ip } = req
        const caller = hand.admit(req, req.rawHeaders, ip)
        if (caller === undefined) return void res.status(401).end()
        Reflect.set(req, 'caller', caller)
        res.once('close', () => hand.count(caller, `${req.method} ${req.baseUrl}${req.route?.path}`, ip))
        next()
      })
      app.use('/api', (req, res, next) => {
        if (hand.holds(Reflect.get(req, 'caller'), req, SCOPE)) next()
        else res.status(403).end()
      })
    }
    app.get('/api/stock', (_req, res) => {
      res.json(STOCK)
    })
    return createServer(app)
  },

  async koa(by) {
    const app = new Koa()
    const router = new Router()
    if (by?.adapter !== undefined) app.use(callOf(by.adapter.authenticate)(by.tokens)).use(by.adapter.requireScopes(SCOPE))
    const hand = by?.hand
    if (hand !== undefined) {
      app.use((ctx, next) => {
        const { ip } = ctx
        const caller = hand.admit(ctx.req, ctx.req.rawHeaders, ip)
        if (caller === undefined) {
          ctx.status = 401
          return undefined
        }
        ctx.state.caller = caller
        ctx.res.once('close', () => hand.count(caller, `${ctx.method} ${Reflect.get(ctx, '_matchedRoute')}`, ip))
        return next()
      })
      app.use((ctx, next) => {
        if (hand.holds(ctx.state.caller, ctx.req, SCOPE)) return next()
        ctx.status = 403
        return undefined
      })
    }
    router.get('/api/stock', (ctx) => {
      ctx.body = STOCK
    })
    app.use(router.routes())
    return createServer(app.callback())
  },

  async fastify(by) {
    const app = Fastify()
    if (by?.adapter !== undefined) {
      await app.register(by.adapter.authenticate as never, { tokens: by.tokens } as never)
      app.addHook('onRequest', by.adapter.requireScopes(SCOPE))
    }
    const hand = by?.hand
    if (hand !== undefined) {
      app.decorateRequest('caller', null)
      app.addHook('onRequest', (request, reply, done) => {
        const { ip } = request
        const caller = hand.admit(request, request.raw.rawHeaders, ip)
        if (caller === undefined) return void reply.code(401).send()
        Reflect.set(request, 'caller', caller)
        reply.raw.once('close', () => hand.count(caller, `${request.method} ${request.routeOptions.url}`, ip))
        done()
      })
      app.addHook('onRequest', (request, reply, done) => {
        if (hand.holds(Reflect.get(request, 'caller'), request, SCOPE)) done()
        else reply.code(403).send()
      })
    }
    app.get('/api/stock', async () => STOCK)
    await app.ready()
    return createServer((req, res) => app.routing(req, res))
  },

  async hono(by) {
    const app = new Hono<{ Variables: { caller: object } }>()
    if (by?.adapter !== undefined) {
      const ip = (c: Parameters<typeof getConnInfo>[0]): string | undefined => getConnInfo(c).remote.address
      app.use('/api/*', callOf(by.adapter.authenticate)(by.tokens, { ip }), by.adapter.requireScopes(SCOPE))
    }
    const hand = by?.hand
    if (hand !== undefined) {
      app.use('/api/*', async (c, next) => {
        const ip = getConnInfo(c).remote.address
        const caller = hand.admitFetch(c, c.req.raw.headers, ip)
        if (caller === undefined) return c.body(null, 401)
        c.set('caller', caller)
        try {
          await next()
        } finally {
          hand.count(caller, `${c.req.method} ${routePath(c)}`, ip)
        }
        return undefined
      })
      app.use('/api/*', async (c, next) => {
        if (!hand.holds(c.get('caller'), c, SCOPE)) return c.body(null, 403)
        await next()
        return undefined
      })
    }
    app.get('/api/stock', (c) => c.json(STOCK))
    return createAdaptorServer({ fetch: app.fetch }) as Server
  },
}

// Builds of other commits have other types.
function callOf(call: Adapter['authenticate']): (...args: unknown[]) => never {
  return call as (...args: unknown[]) => never
}
