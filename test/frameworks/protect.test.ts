import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Router from '@koa/router'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { type Latchkey, latchkey } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'

type Tokens = Latchkey<'inventory:read' | 'inventory:write'>
/** Serves `GET /stock/:id`, which requires inventory:read and the warehouse, and `GET /all`, which requires only inventory:read. */
type Serve = (
  tokens: Tokens,
) => Promise<{ ask: (headers: Record<string, string>, path?: string) => Promise<Response>; close: () => Promise<unknown> | unknown }>

async function serveNode(listener: import('node:http').RequestListener) {
  const { createServer } = await import('node:http')
  const server = createServer(listener).listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    ask: (headers: Record<string, string>, path = '/stock/w1') => fetch(`http://127.0.0.1:${port}${path}`, { headers }),
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

const servers: readonly (readonly [string, Serve])[] = [
  [
    'Express',
    (tokens) => {
      const app = express()
      const protect = onExpress.protect(tokens, 'inventory:read', { warehouse: (req) => req.params.id })
      app.get('/stock/:id', protect, (req, res) => void res.json({ name: req.principal?.name }))
      app.get('/all', onExpress.protect(tokens, 'inventory:read'), (_, res) => void res.json({}))
      return serveNode(app)
    },
  ],
  [
    'Koa',
    (tokens) => {
      const router = new Router()
      const protect = onKoa.protect(tokens, 'inventory:read', { warehouse: (ctx) => Reflect.get(ctx, 'params').id })
      router.get('/stock/:id', protect, (ctx) => {
        ctx.body = { name: ctx.state.principal?.name }
      })
      router.get('/all', onKoa.protect(tokens, 'inventory:read'), (ctx) => {
        ctx.body = {}
      })
      return serveNode(new Koa().use(router.routes()).callback())
    },
  ],
  [
    'Fastify',
    async (tokens) => {
      const app = fastify()
      const protect = onFastify.protect(tokens, 'inventory:read', { warehouse: (request) => (request.params as { id: string }).id })
      app.get('/stock/:id', { onRequest: protect }, async (request) => ({ name: request.principal?.name }))
      app.get('/all', { onRequest: onFastify.protect(tokens, 'inventory:read') }, async () => ({}))
      const origin = await app.listen({ port: 0 })
      return { ask: (headers, path = '/stock/w1') => fetch(`${origin}${path}`, { headers }), close: () => app.close() }
    },
  ],
  [
    'Hono',
    async (tokens) => {
      const app = new Hono()
      const protect = onHono.protect(tokens, 'inventory:read', { warehouse: (c) => c.req.param('id') })
      app.get('/stock/:id', protect, (c) => c.json({ name: c.get('principal')?.name }))
      app.get('/all', onHono.protect(tokens, 'inventory:read'), (c) => c.json({}))
      return { ask: async (headers, path = '/stock/w1') => app.request(path, { headers }), close: () => undefined }
    },
  ],
]

describe.each(servers)('protect on %s', (_, serve) => {
  it('protect accepts tokens with the scope and the resource, refuses all others, and counts each use by route', async () => {
    const tokens = latchkey({
      prefix: 'acme_live',
      store: memoryStore(),
      scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
    })
    const { ask, close } = await serve(tokens)
    const mint = async (scope: 'inventory:read' | 'inventory:write', warehouse: string) =>
      tokens.system.create({ name: scope, scopes: [scope], resources: { warehouse: [warehouse] } })
    const [good, other, elsewhere] = await Promise.all([
      mint('inventory:read', 'w1'),
      mint('inventory:write', 'w1'),
      mint('inventory:read', 'w2'),
    ])
    const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

    const answer = await ask(bearer(good.token))
    expect([answer.status, await answer.json()]).toEqual([200, { name: 'inventory:read' }])
    const codes = [{}, bearer(`${good.token}x`), bearer(other.token), bearer(elsewhere.token)].map(async (headers) => {
      const refused = await ask(headers)
      return [refused.status, ((await refused.json()) as { code: string }).code]
    })
    expect(await Promise.all(codes)).toEqual([
      [401, 'credential_missing'],
      [401, 'token_invalid'],
      [403, 'scope_insufficient'],
      [403, 'resource_denied'],
    ])
    await expect
      .poll(async () => (await tokens.system.usage(good.record.id)).endpoints)
      .toEqual([expect.objectContaining({ endpoint: 'GET /stock/:id', count: 1 })])
    await close()
    await tokens.close()
  })

  it('protect refuses limited tokens on routes that name no resource if the instance has resources: explicit', async () => {
    const scopes = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }
    const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes, resources: 'explicit' })
    const { ask, close } = await serve(tokens)
    const status = async (resources: { warehouse?: string[] }, path: string) => {
      const { token } = await tokens.system.create({ name: 'x', scopes: ['inventory:read'], resources })
      return (await ask({ authorization: `Bearer ${token}` }, path)).status
    }
    expect(await status({ warehouse: ['w1'] }, '/all')).toBe(403)
    expect(await status({ warehouse: ['w1'] }, '/stock/w1')).toBe(200)
    expect(await status({}, '/all')).toBe(200)
    await close()
    await tokens.close()
  })
})

it('protect validates its arguments when it is called', () => {
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
  const all = [onExpress.protect, onKoa.protect, onFastify.protect, onHono.protect] as unknown as readonly ((
    tokens: unknown,
    scope: string,
  ) => unknown)[]
  for (const protect of all) {
    expect(() => protect(tokens, 'inventory read')).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    expect(() => protect(undefined, 'inventory:read')).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  }
})
