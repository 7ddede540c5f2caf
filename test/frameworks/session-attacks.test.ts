import 'reflect-metadata'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { getRequestListener, serve } from '@hono/node-server'
import { All, Controller, Param, Req, Res } from '@nestjs/common'
import { APP_GUARD, NestFactory } from '@nestjs/core'
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import mount from 'koa-mount'
import { type Actor, latchkey } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import { exchange, generateSigningKey } from 'latchkey/jwt'
import * as onKoa from 'latchkey/koa'
import { type HttpRequest, LatchkeyGuard, LatchkeyModule } from 'latchkey/nest'
import { introspection } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import * as onWeb from 'latchkey/web'
import { afterAll, describe, expect, it } from 'vitest'

const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'tokens:introspect': 'Introspect', 'tokens:rotate-self': 'Rotate itself' },
  logger: false,
})
const issuer = 'https://auth.example'
const exchangeTokens = exchange(tokens, { issuer, audiences: ['stock'], keys: [await generateSigningKey()] })
const introspect = introspection(tokens, { client: () => undefined })

// A host session with every scope, selected by the cookie.
const sessionOf = (cookie: string | null | undefined): { id: string; scopes: '*' } | undefined => {
  if (cookie === 'sid=throws') throw new Error('the session store is down')
  return cookie === 'sid=ada' ? { id: 'ada', scopes: '*' } : undefined
}
const actor = (): Actor => ({ id: 'ada', tenants: '*', manages: 'all' })
const endpoints = { '/exchange': exchangeTokens, '/introspect': introspect }

const closers: (() => Promise<unknown>)[] = []
afterAll(async () => {
  await Promise.all(closers.map((close) => close()))
  await tokens.close()
})

const at = async (server: Server): Promise<string> => {
  if (!server.listening) await once(server, 'listening')
  closers.push(() => new Promise((done) => server.close(done).closeAllConnections()))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
const listen = (listener: RequestListener): Promise<string> => at(createServer(listener).listen(0, '127.0.0.1'))

type RawRequest = IncomingMessage & { readonly raw?: IncomingMessage }
type RawReply = ServerResponse & { readonly raw?: ServerResponse; hijack?(): void }

class EndpointsController {
  async answer(name: string, request: RawRequest, reply: RawReply): Promise<void> {
    const handler = Object.entries(endpoints).find(([path]) => path === `/${name}`)?.[1]
    if (handler === undefined) throw new Error(`no endpoint ${name}`)
    reply.hijack?.()
    await getRequestListener(handler)(request.raw ?? request, reply.raw ?? reply)
  }
}
const answer = Object.getOwnPropertyDescriptor(EndpointsController.prototype, 'answer') as PropertyDescriptor
Param('name')(EndpointsController.prototype, 'answer', 0)
Req()(EndpointsController.prototype, 'answer', 1)
Res()(EndpointsController.prototype, 'answer', 2)
All(':name')(EndpointsController.prototype, 'answer', answer)
Controller()(EndpointsController)

class NestedModule {}
/** On Nest, guards do not cover the management API, whose actor callback reads the session directly. */
const nestModule = {
  module: NestedModule,
  imports: [
    LatchkeyModule.forRoot({
      tokens,
      session: (request: HttpRequest) => sessionOf(request.headers.cookie),
      management: {
        path: '/tokens',
        actor: (request: HttpRequest) => (sessionOf(request.headers.cookie) === undefined ? undefined : actor()),
      },
    }),
  ],
  controllers: [EndpointsController],
  providers: [{ provide: APP_GUARD, useClass: LatchkeyGuard }],
}
const UNPARSED = { logger: false, bodyParser: false, forceCloseConnections: true } as const

/** The management API and the extensions' endpoints behind a guard that accepts sessions. */
const hosts: { readonly [framework: string]: () => Promise<string> } = {
  Express: () => {
    const app = express()
    app.use(onExpress.authenticate(tokens, { session: (req) => sessionOf(req.headers.cookie) }))
    app.use('/tokens', onExpress.management(tokens, { actor }))
    for (const [path, handler] of Object.entries(endpoints)) app.use(path, getRequestListener(handler))
    return listen(app)
  },
  Koa: () => {
    const app = new Koa()
    app.silent = true
    app.use(onKoa.authenticate(tokens, { session: (ctx) => sessionOf(ctx.get('cookie')) }))
    app.use(mount('/tokens', onKoa.management(tokens, { actor })))
    app.use(async (ctx) => {
      const handler = Object.entries(endpoints).find(([path]) => ctx.path === path)?.[1]
      if (handler === undefined) return
      ctx.respond = false
      await getRequestListener(handler)(ctx.req, ctx.res)
    })
    return listen(app.callback())
  },
  Fastify: async () => {
    const app = fastify({ forceCloseConnections: true })
    await app.register(onFastify.authenticate, { tokens, session: (request) => sessionOf(request.headers.cookie) })
    await app.register(onFastify.management, { prefix: '/tokens', tokens, actor })
    await app.register(async (context) => {
      context.removeAllContentTypeParsers()
      context.addContentTypeParser('*', (_request, _payload, done) => done(null))
      for (const [path, handler] of Object.entries(endpoints)) {
        context.all(path, (request, reply) => {
          reply.hijack()
          return getRequestListener(handler)(request.raw, reply.raw)
        })
      }
    })
    closers.push(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
  Hono: () => {
    const app = new Hono()
    app.use('*', onHono.authenticate(tokens, { session: (c) => sessionOf(c.req.header('cookie')) }))
    app.route('/tokens', onHono.management(tokens, { actor }))
    for (const [path, handler] of Object.entries(endpoints)) app.all(path, (c) => handler(c.req.raw))
    return at(serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server)
  },
  'Nest on Express': async () => {
    const app = await NestFactory.create<NestExpressApplication>(nestModule, new ExpressAdapter(), UNPARSED)
    closers.push(() => app.close())
    return at((await app.listen(0, '127.0.0.1')) as Server)
  },
  'Nest on Fastify': async () => {
    const app = await NestFactory.create<NestFastifyApplication>(nestModule, new FastifyAdapter(), UNPARSED)
    const fastify = app.getHttpAdapter().getInstance()
    fastify.removeAllContentTypeParsers()
    fastify.addContentTypeParser('*', (_request, _payload, done) => done(null))
    closers.push(() => app.close())
    return at((await app.listen(0, '127.0.0.1')) as Server)
  },
  'web requests': () => {
    const manage = onWeb.management(tokens, { mountPath: '/tokens', actor })
    const handle = async (request: Request): Promise<Response> => {
      const { response } = await onWeb.authenticate(tokens, request, { session: (asked) => sessionOf(asked.headers.get('cookie')) })
      if (response !== undefined) return response
      const { pathname } = new URL(request.url)
      const endpoint = Object.entries(endpoints).find(([path]) => path === pathname)?.[1]
      return endpoint === undefined ? manage(request) : endpoint(request)
    }
    return at(serve({ fetch: handle, port: 0, hostname: '127.0.0.1' }) as Server)
  },
}

const FORM = 'application/x-www-form-urlencoded'
const GRANT = { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', audience: 'stock' }

describe.each(Object.entries(hosts))('a session on %s', (framework, start) => {
  const asking = async (): Promise<
    (method: string, path: string, cookie: string, headers?: object, body?: string) => Promise<readonly [number, string]>
  > => {
    const origin = await start()
    return async (method, path, cookie, headers = {}, body) => {
      const own = { cookie, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json', ...headers }
      const response = await fetch(`${origin}${path}`, { method, headers: own, ...(body !== undefined && { body }) })
      return [response.status, await response.text()]
    }
  }

  it('a session is not accepted at /self', async () => {
    const ask = await asking()
    for (const answer of [await ask('GET', '/tokens/self', 'sid=ada'), await ask('POST', '/tokens/self/rotate', 'sid=ada', {}, '{}')]) {
      expect(answer).toEqual([401, expect.stringContaining('credential_missing')])
    }
  })

  it('a session can be neither exchanged for a token nor used to introspect a token', async () => {
    const ask = await asking()
    const exchanged = await ask('POST', '/exchange', 'sid=ada', { 'content-type': FORM }, new URLSearchParams(GRANT).toString())
    expect(exchanged).toEqual([400, expect.not.stringContaining('access_token"')])
    const { token } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
    const asked = await ask('POST', '/introspect', 'sid=ada', { 'content-type': FORM }, new URLSearchParams({ token }).toString())
    expect(asked).toEqual([401, expect.not.stringContaining('"active":true')])
  })

  it("a session cannot be used by another site's forms, which change nothing", async () => {
    const ask = await asking()
    const before = (await tokens.system.list()).items.length
    const form = new URLSearchParams({ name: 'stolen', scopes: 'inventory:read' }).toString()
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'none' }]) {
      for (const path of ['/tokens', '/exchange']) {
        const answer = await ask('POST', path, 'sid=ada', { 'content-type': FORM, ...headers }, form)
        // On Nest the management API has no guard. It rejects every form, and a browser sends no form with Sec-Fetch-Site: none.
        const unguarded = framework.startsWith('Nest') && path === '/tokens' && headers['sec-fetch-site'] === 'none'
        expect(answer).toEqual(unguarded ? [415, expect.any(String)] : [403, expect.stringContaining('cross_site')])
      }
      if (headers['sec-fetch-site'] !== 'none') {
        const answer = await ask('POST', '/tokens', 'sid=ada', headers, JSON.stringify({ name: 'stolen', scopes: ['inventory:read'] }))
        expect(answer).toEqual([403, expect.stringContaining('cross_site')])
      }
    }
    expect((await tokens.system.list()).items).toHaveLength(before)
  })

  it('a page on another site cannot open a WebSocket with a session', async () => {
    const origin = await start()
    const shake = async (headers: object): Promise<string> => {
      const handshake = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      }
      const asked = request(`${origin}/introspect`, { headers: { cookie: 'sid=ada', ...handshake, ...headers } }).end()
      const [response] = (await once(asked, 'response')) as [IncomingMessage]
      return `${response.statusCode} ${await text(response)}`
    }
    const other = { origin: 'https://evil.example' }
    for (const headers of [other, { ...other, 'sec-fetch-site': 'cross-site' }, { upgrade: 'WebSocket' }, { upgrade: 'h2c' }, {}]) {
      expect(await shake(headers)).toMatch(/^403 .*cross_site/)
    }
    for (const headers of [{ origin }, { ...other, 'sec-fetch-site': 'same-origin' }]) expect(await shake(headers)).not.toMatch(/^403/)
  })

  it('a session callback that throws causes a 503 on every route', async () => {
    const ask = await asking()
    for (const [method, path] of [
      ['GET', '/tokens'],
      ['GET', '/tokens/self'],
      ['POST', '/exchange'],
    ] as const) {
      const answer = await ask(method, path, 'sid=throws', {}, method === 'POST' ? '{}' : undefined)
      // On Nest, /self has no guard and never looks for a session.
      const unasked = framework.startsWith('Nest') && path === '/tokens/self'
      const expected = unasked ? [401, expect.stringContaining('credential_missing')] : [503, expect.stringContaining('store_unavailable')]
      expect([path, ...answer]).toEqual([path, ...expected])
    }
  })
})
