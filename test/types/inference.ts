import Router from '@koa/router'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { validator } from 'hono/validator'
import Koa from 'koa'
import type { Latchkey, Principal, ScopeName } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import * as onWeb from 'latchkey/web'

// Compiled, never run. A guard before a handler must not affect what the framework infers for that handler.
declare const tokens: Latchkey<'inventory:read' | 'inventory:write'>

/** Exactly the same type, neither wider nor `any`. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_is: Same<A, B>): void => undefined

export const onExpressFive = express()
  .get('/stock/:id', (req, res) => {
    const id: string = req.params.id
    res.json(id)
  })
  .get('/stock/:id', onExpress.requireScopes('inventory:read'), (req, res) => {
    const id: string = req.params.id
    same<typeof req.params, { id: string }>(true)
    res.json(id)
  })
  .get('/:tenant/stock/:id', onExpress.authenticate(tokens), onExpress.requireScopes('inventory:read'), (req, res) => {
    const ids: [string, string] = [req.params.tenant, req.params.id]
    const principal: Principal<ScopeName> | undefined = req.principal
    // @ts-expect-error: the path has no such parameter
    res.json([ids, principal, req.params.warehouse])
  })
  .post<{ id: string }, { ok: boolean }, { count: number }, { dry: string }>(
    '/stock/:id',
    onExpress.requireScopes('inventory:write', { warehouse: (req) => req.params.id }),
    (req, res) => {
      same<typeof req.body, { count: number }>(true)
      same<typeof req.query, { dry: string }>(true)
      // @ts-expect-error: the declared response has another type
      res.json({ ok: 'yes' })
    },
  )

export const onExpressRouter = express
  .Router({ mergeParams: true })
  .use(onExpress.authenticate(tokens))
  .get('/:id', [onExpress.requireScopes('inventory:read')], (req: express.Request, res: express.Response) => void res.json(req.params))
  .use('/admin', onExpress.management(tokens, { actor: () => undefined }))

export const asExpressHandlers: readonly express.RequestHandler[] = [
  onExpress.authenticate(tokens),
  onExpress.requireScopes('inventory:read'),
  onExpress.management(tokens, { actor: () => undefined }),
]

type State = { user: { id: string } }
type Extra = { db: { query(text: string): string } }

export const onKoaTyped = new Koa<State, Extra>()
  .use(onKoa.authenticate(tokens))
  .use(onKoa.requireScopes('inventory:read'))
  .use(async (ctx, next) => {
    same<typeof ctx.state.user.id, string>(true)
    const answer: string = ctx.db.query('select 1')
    ctx.body = answer
    await next()
  })

export const onKoaRouter = new Router<State, Extra>()
  .use(onKoa.authenticate(tokens))
  .get('/stock/:id', onKoa.requireScopes('inventory:read'), async (ctx) => {
    const id: string | undefined = ctx.params.id
    same<typeof ctx.state.user.id, string>(true)
    ctx.body = ctx.db.query(id ?? '')
  })

export const onFastifyTyped = async (): Promise<void> => {
  const app = Fastify()
  await app.register(onFastify.authenticate, { tokens })
  app.get<{ Params: { id: string }; Querystring: { dry: string }; Reply: { id: string } }>(
    '/stock/:id',
    { onRequest: onFastify.requireScopes('inventory:read') },
    async (request) => {
      same<typeof request.params, { id: string }>(true)
      same<typeof request.query, { dry: string }>(true)
      return { id: request.params.id }
    },
  )
  app.post<{ Body: { count: number } }>('/stock', { preHandler: [onFastify.requireScopes('inventory:write')] }, async (request) => {
    same<typeof request.body, { count: number }>(true)
    return 'ok'
  })
  const secure = Fastify({ http2: true })
  await secure.register(onFastify.authenticate, { tokens })
  await secure.register(onFastify.management, { prefix: '/admin', tokens, actor: () => undefined })
  secure.get<{ Params: { id: string } }>('/:id', { onRequest: onFastify.requireScopes('inventory:read') }, async (request) => {
    same<typeof request.params, { id: string }>(true)
    return 'ok'
  })
}

type Env = { Bindings: { DB: string }; Variables: { user: { id: string } } }

export const onHonoTyped = new Hono<Env>()
  .use('/api/*', onHono.authenticate(tokens))
  .get('/api/stock/:id', onHono.requireScopes('inventory:read'), (c) => {
    const id = c.req.param('id')
    same<typeof id, string>(true)
    same<typeof c.env.DB, string>(true)
    same<typeof c.var.user, { id: string }>(true)
    return c.json({ id, user: c.var.user.id })
  })
  .post(
    '/api/stock',
    onHono.authenticate(tokens),
    onHono.requireScopes('inventory:write'),
    validator('json', (value: { count: number }) => value),
    (c) => {
      same<ReturnType<typeof c.req.valid<'json'>>, { count: number }>(true)
      same<typeof c.env.DB, string>(true)
      return c.json({ count: c.req.valid('json').count })
    },
  )

export const onTheWeb = async (request: Request): Promise<Response> => {
  const { principal, response } = await onWeb.authenticate(tokens, request, { require: onWeb.requireScopes('inventory:read') })
  if (response) return response
  same<typeof principal, Principal<ScopeName>>(true)
  return new Response(principal.name)
}
