import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener, serve } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { latchkey } from 'latchkey'
import { leakReports } from 'latchkey/leaks'
import { introspection, protectedResource, revocation, revocationByPossession, whoami } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { afterAll, describe, expect, it } from 'vitest'
import { createSender } from '../leaks/support.js'

const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { a: 'b' } })
const sender = createSender()
const report = leakReports(tokens, { fetch: sender.fetch })
const me = whoami(tokens)
const closers: (() => Promise<unknown>)[] = []

afterAll(async () => {
  await Promise.all(closers.map((close) => close()))
  await tokens.close()
})

const listen = async (listener: RequestListener): Promise<string> => at(createServer(listener).listen(0, '127.0.0.1'))

const at = async (server: Server): Promise<string> => {
  await once(server, 'listening')
  closers.push(() => new Promise((done) => server.close(done).closeAllConnections()))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

// Mounted as docs/oauth.md shows.
const servers: { readonly [framework: string]: () => Promise<string> } = {
  Express: () => {
    const app = express()
    app.use('/leaks', getRequestListener(report))
    app.use('/whoami', getRequestListener(me))
    return listen(app)
  },
  Koa: () => {
    const app = new Koa()
    const listeners = { '/leaks': getRequestListener(report), '/whoami': getRequestListener(me) }
    app.use(async (ctx) => {
      const listener = Object.entries(listeners).find(([path]) => ctx.path === path)?.[1]
      ctx.respond = false
      await listener?.(ctx.req, ctx.res)
    })
    return listen(app.callback())
  },
  Fastify: async () => {
    const app = fastify()
    await app.register(async (context) => {
      context.removeAllContentTypeParsers()
      context.addContentTypeParser('*', (_request, _payload, done) => done(null))
      for (const [path, handler] of Object.entries({ '/leaks': report, '/whoami': me })) {
        const listener = getRequestListener(handler)
        context.all(path, (request, reply) => {
          reply.hijack()
          return listener(request.raw, reply.raw)
        })
      }
    })
    closers.push(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
  Hono: () => {
    const app = new Hono()
    app.all('/leaks', (c) => report(c.req.raw))
    app.all('/whoami', (c) => me(c.req.raw))
    return at(serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server)
  },
}

describe.each(Object.entries(servers))('mounted on %s', (_, start) => {
  it('a leak report signed over its raw bytes revokes the token, and whoami then rejects it', async () => {
    const origin = await start()
    const { token } = await tokens.system.create({ name: 'ERP', scopes: ['a'] })
    const ask = () => fetch(`${origin}/whoami`, { headers: { authorization: `Bearer ${token}` } })
    expect(await (await ask()).json()).toMatchObject({ name: 'ERP', scopes: ['a'] })
    const signed = sender.request(`[ {"token": "${token}",  "type":"t","url":"u","source":"content"} ]`)
    const answer = await fetch(`${origin}/leaks`, { method: 'POST', headers: signed.headers, body: await signed.text() })
    expect([answer.status, await answer.json()]).toMatchObject([200, [{ label: 'true_positive' }]])
    expect(await (await ask()).json()).toMatchObject({ code: 'token_revoked' })
  })
})

it('a leak report behind a body parser fails with a 500 that explains the cause', async () => {
  const app = express()
  app.use(express.json())
  app.use('/leaks', getRequestListener(report))
  const signed = sender.request('[{"token":"x","type":"t","url":"u","source":"s"}]')
  const answer = await fetch(`${await listen(app)}/leaks`, { method: 'POST', headers: signed.headers, body: await signed.text() })
  expect(answer.status).toBe(500)
  expect(await answer.text()).toContain('before any body parser')
})

it.each(['Express', 'a Node server'])('a fetch handler passed to %s without an adapter answers 503', async (server) => {
  const other = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { a: 'b' }, logger: false })
  for (const handler of [whoami(other), leakReports(other)]) {
    const app: RequestListener = server === 'Express' ? express().use('/x', handler as never) : (handler as never)
    const answer = await fetch(`${await listen(app)}/x`, { method: 'POST', signal: AbortSignal.timeout(5000) })
    expect(answer.status).toBe(503)
  }
  await other.close()
})

it('a fetch handler mounted without an adapter reports how to mount it', async () => {
  const lines: string[] = []
  const faults: string[] = []
  const other = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { a: 'b' },
    logger: { error: (line: string) => lines.push(line) },
    onError: ({ where, error }) => faults.push(`${where}: ${error.code}: ${error.message}`),
  })
  const client = () => undefined
  const handlers: { readonly [name: string]: (request: Request) => Promise<Response> } = {
    introspect: introspection(other, { client }),
    revoke: revocation(other, { client }),
    revokeByPossession: revocationByPossession(other),
    protectedResourceMetadata: protectedResource(other, { resource: 'https://api.example' }).fetch,
    whoami: whoami(other),
    receiveLeakReport: leakReports(other),
  }
  const app = new Hono()
  for (const [name, handler] of Object.entries(handlers)) app.post(`/${name}`, (c) => handler(c as never))
  for (const name of Object.keys(handlers)) expect((await app.request(`/${name}`, { method: 'POST' })).status).toBe(503)
  const message = 'was not called with a web Request: mount it with getRequestListener of @hono/node-server, or in Hono pass it c.req.raw'
  expect(faults).toEqual(Object.keys(handlers).map((name) => `endpoint: misconfigured: ${name} ${message}`))
  expect(lines).toEqual([
    expect.stringContaining(
      `LATCHKEY_NOT_DECIDED endpoint: introspect ${message}. Until this is fixed, the endpoint cannot answer requests. See`,
    ),
  ])
  await other.close()
})
