import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { type Context, Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import Koa from 'koa'
import type { Authenticator, Principal } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasSignal } from '../../src/verify/principal.js'
import { createGateway } from '../extensions/jwt/support.js'
import { instance, mint, until } from '../latchkey/harness.js'

type Handle = (principal: Principal | undefined) => Promise<void>

/** Servers whose handler awaits a promise of the test before it responds. */
const SERVERS: { readonly [framework: string]: (tokens: Authenticator, handle: Handle) => Promise<Server> } = {
  async express(tokens, handle) {
    const app = express()
    app.get('/', onExpress.authenticate(tokens), async (req, res) => {
      await handle(req.principal)
      res.end('late')
    })
    return createServer(app).listen(0)
  },
  async koa(tokens, handle) {
    const app = new Koa()
    app.use(onKoa.authenticate(tokens)).use(async (ctx) => {
      await handle(ctx.state.principal)
      ctx.body = 'late'
    })
    return createServer(app.callback()).listen(0)
  },
  async fastify(tokens, handle) {
    const app = fastify()
    await app.register(onFastify.authenticate, { tokens })
    app.get('/', async (request) => {
      await handle(request.principal)
      return 'late'
    })
    await app.listen({ port: 0 })
    return app.server
  },
  async hono(tokens, handle) {
    const app = new Hono()
    app.get('/', onHono.authenticate(tokens), async (c) => {
      await handle(c.var.principal)
      return c.text('late')
    })
    return serve({ fetch: app.fetch, port: 0 }) as Server
  },
}

describe('a signal first read after its response is over', () => {
  it.each(Object.keys(SERVERS).flatMap((framework) => ['an API token', 'a signed token'].map((kind) => [framework, kind] as const)))(
    'a signal first read after the client disconnected never fires, on %s for %s',
    async (framework, kind) => {
      const { tokens, create, signed, service } = await createGateway()
      const { token, record } = await create({ name: 'ERP', scopes: ['inventory:read'] })
      const here = withResolvers<Principal | undefined>()
      const left = withResolvers<void>()
      const read = withResolvers<AbortSignal | undefined>()
      const server = await SERVERS[framework]?.(kind === 'an API token' ? tokens : service({ strict: tokens }), async (principal) => {
        here.resolve(principal)
        await left.promise
        read.resolve(principal?.signal)
      })
      if (server === undefined) throw new Error(`no server for ${framework}`)
      if (!server.listening) await once(server, 'listening')
      onTestFinished(() => void server.close())
      const closed = new Promise<void>((resolve) => server.on('request', (_, response) => response.once('close', resolve)))
      const leaving = new AbortController()
      const presented = kind === 'an API token' ? token : await signed(token)
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const answer = fetch(url, { headers: { authorization: `Bearer ${presented}` }, signal: leaving.signal }).catch(() => undefined)
      const principal = await here.promise
      leaving.abort()
      await Promise.all([answer, closed])
      left.resolve()
      const signal = await read.promise
      await until(() => !hasSignal(principal))
      await tokens.system.revoke(record.id)
      expect(signal?.aborted).toBe(false)
      await tokens.close()
    },
  )
})

describe('principal.signal on Hono', () => {
  const open = async (respond: (c: Context) => Response) => {
    const tokens = instance()
    const { token } = await mint(tokens)
    const principals: Principal[] = []
    const app = new Hono()
    app.all('/', onHono.authenticate(tokens), (c) => {
      principals.push(c.var.principal as Principal)
      return respond(c)
    })
    return { app, principals, headers: { authorization: `Bearer ${token}` } }
  }
  const HANDSHAKE = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }

  it.each<readonly [string, string, (c: Context) => Response, object]>([
    ['HEAD', 'a whole body', (c) => c.text('whole'), {}],
    ['HEAD', 'a stream', () => new Response(new ReadableStream()), {}],
    ['GET', 'status 204', (c) => c.body(null, 204), {}],
    ['GET', 'status 304', (c) => c.body(null, 304), {}],
    ['GET', 'status 204 for a client that offered a WebSocket upgrade', (c) => c.body(null, 204), HANDSHAKE],
    ['GET', 'no body for a client that sent only a WebSocket version', (c) => c.body(null, 200), { 'sec-websocket-version': '13' }],
  ])('principal.signal is released with a %s response that has %s', async (method, _, respond, more) => {
    const { app, principals, headers } = await open((c) => {
      expect(c.var.principal?.signal.aborted).toBe(false)
      return respond(c)
    })
    await app.request('/', { method, headers: { ...headers, ...more } })
    expect(principals.map(hasSignal)).toEqual([false])
  })

  it.each(['on Node', 'outside Node'])(
    'principal.signal is released with an event stream that is the first to read it, %s',
    async (where) => {
      const go = withResolvers<void>()
      const { app, principals, headers } = await open((c) =>
        streamSSE(c, async (stream) => {
          await stream.writeSSE({ data: 'begun' })
          await go.promise
          expect(c.var.principal?.signal.aborted).toBe(false)
          await stream.writeSSE({ data: 'read' })
          await new Promise<void>((resolve) => stream.onAbort(resolve))
        }),
      )
      let response: Response
      if (where === 'on Node') {
        const server = serve({ fetch: app.fetch, port: 0 })
        await once(server, 'listening')
        onTestFinished(() => void server.close())
        response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { headers })
      } else response = await app.request('/', { headers })
      const reader = response.body?.getReader()
      await reader?.read()
      go.resolve()
      await reader?.read()
      await until(() => principals.every(hasSignal))
      await reader?.cancel()
      await until(() => !principals.some(hasSignal))
    },
  )

  it('principal.signal is released when a WebSocket opened by a Node request closes', async () => {
    const { app, principals, headers } = await open((c) => {
      expect(c.var.principal?.signal.aborted).toBe(false)
      return c.body(null)
    })
    const socket = createServer()
    await app.request('/', { headers: { ...headers, ...HANDSHAKE } }, { incoming: { socket } })
    expect(principals.map(hasSignal)).toEqual([true])
    socket.emit('close')
    expect(principals.map(hasSignal)).toEqual([false])
  })
})

function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
