import express from 'express'
import Fastify, { type FastifyRequest } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import type { Latchkey, Principal } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import * as onNest from 'latchkey/nest'
import * as onWeb from 'latchkey/web'

// Compiled, never run. The scope names are those of the instance registered by scopes.ts.
declare const tokens: Latchkey<'inventory:read' | 'inventory:write'>

export const good = [
  onExpress.requireScopes('inventory:read', 'inventory:write'),
  onExpress.requireScopes({ any: ['inventory:read', 'inventory:write'] }),
  onExpress.requireScopes('inventory:read', { warehouse: (req) => req.params.id, zone: ['a', 'b'], shelf: 's1' }),
  onExpress.requireScopes({ any: ['inventory:read'] }, { warehouse: async (req) => req.params.id }),
  onKoa.requireScopes('inventory:read', { warehouse: (ctx) => ctx.params.id }),
  onFastify.requireScopes('inventory:read', { warehouse: (request) => request.params.id }),
  onFastify.requireScopes('inventory:read', { warehouse: async (request: FastifyRequest) => request.id }),
  onFastify.protect(tokens, { any: ['inventory:read'] }, { warehouse: ({ params }) => params.id }),
  onHono.requireScopes('inventory:read', { warehouse: (c) => c.req.param('id') }),
  onWeb.requireScopes('inventory:read', { warehouse: (request) => request.url }),
]

export const bad = [
  // @ts-expect-error: not in the catalogue
  onExpress.requireScopes('inventory:raed'),
  // @ts-expect-error: a scope outside the catalogue after a valid one
  onKoa.requireScopes('inventory:read', 'inventory:raed'),
  // @ts-expect-error: not in the catalogue
  onFastify.requireScopes({ any: ['inventory:raed'] }),
  // @ts-expect-error: at least one scope is required
  onHono.requireScopes(),
  // @ts-expect-error: resources without a scope
  onWeb.requireScopes({ warehouse: 'w1' }),
  // @ts-expect-error: wildcards are for tokens, not for routes
  onExpress.requireScopes('inventory:*'),
  // @ts-expect-error: a number is not a resource
  onExpress.requireScopes('inventory:read', { warehouse: () => 1 }),
  // @ts-expect-error: unknown option
  onExpress.authenticate(tokens, { optinal: true }),
  // @ts-expect-error: actor is required
  onExpress.management(tokens, {}),
  // @ts-expect-error: an actor needs its tenants
  onKoa.management(tokens, { actor: () => ({ id: 'ada', manages: 'all' }) }),
  // @ts-expect-error: mountPath is required
  onWeb.management(tokens, { actor: () => undefined }),
]

export const expressApp = express()
  .use('/api', onExpress.authenticate(tokens, { errorBody: (problem, req) => ({ code: problem.code, path: req.path }) }))
  .get('/api/stock', onExpress.requireScopes('inventory:read'), (req, res) => {
    const principal: Principal | undefined = req.principal
    res.json(principal)
  })
  .use('/admin', onExpress.management(tokens, { actor: (req) => (req.get('x') ? { id: 'a', tenants: '*', manages: 'all' } : undefined) }))

export const koaApp = new Koa().use(onKoa.authenticate(tokens)).use((ctx) => {
  const principal: Principal | undefined = ctx.state.principal
  ctx.body = principal?.name
})

export const fastifyApp = async (): Promise<void> => {
  const app = Fastify()
  await app.register(onFastify.authenticate, { tokens, optional: true })
  await app.register(onFastify.management, { prefix: '/admin', tokens, actor: () => undefined })
  // @ts-expect-error: tokens are required
  await app.register(onFastify.authenticate, {})
  app.get<{ Params: { id: string } }>('/:id', { onRequest: onFastify.requireScopes('inventory:read') }, async (request) => {
    const principal: Principal | undefined = request.principal
    return [principal?.name, request.params.id]
  })
  app.get('/', { preHandler: [onFastify.requireScopes('inventory:write')] }, async () => 'ok')
}

export const honoApp = new Hono()
  .use('/api/*', onHono.authenticate(tokens, { ip: (c) => c.req.header('x-real-ip') }))
  .get('/api/stock', onHono.requireScopes('inventory:read'), (c) => {
    const principal: Principal | undefined = c.var.principal
    return c.json({ name: principal?.name })
  })
  .route('/admin', onHono.management(tokens, { actor: () => undefined }))

export const webHandler = async (request: Request): Promise<Response> => {
  const { principal, response } = await onWeb.authenticate(tokens, request)
  if (response) return response
  const name: string = principal.name
  const optional = await onWeb.authenticate(tokens, request, { optional: true })
  // @ts-expect-error: the principal may be undefined
  const perhaps: string = optional.principal.name
  return new Response(name + perhaps)
}

@onNest.Public()
export class Lobby {
  @onNest.Public()
  open(@onNest.CurrentPrincipal() principal: Principal | undefined): string {
    return principal?.name ?? ''
  }

  @onNest.RequireScopes('inventory:read', { warehouse: (request) => request.params.id })
  closed(): string {
    return ''
  }

  // @ts-expect-error: Public takes no argument
  @onNest.Public(false)
  wrong(): string {
    return ''
  }

  // @ts-expect-error: not in the catalogue
  @onNest.RequireScopes('inventory:raed')
  misspelled(): string {
    return ''
  }

  // @ts-expect-error: Public is for methods and classes
  @onNest.Public()
  readonly field: string = ''
}
