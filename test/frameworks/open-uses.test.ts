import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { serve } from '@hono/node-server'
import Router from '@koa/router'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import type { Latchkey, Principal } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasSignal } from '../../src/verify/principal.js'
import { instance, mint, type Scope, until } from '../latchkey/harness.js'

/**
 * `/stream` begins its response immediately and never ends it. `/slow` waits for the gate. `/late` waits for the gate before it checks a
 * scope that the token does not have; `/refused` checks that scope immediately. `/listens` listens to the signal of its principal.
 */
type Host = (tokens: Latchkey<Scope>, gate: () => Promise<void>, listen: (principal: Principal | undefined) => void) => Promise<string>

const listening = async (server: { once(event: 'listening', listener: () => void): unknown; address(): unknown }): Promise<string> => {
  if (server.address() === null) await new Promise<void>((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const HOSTS: readonly (readonly [string, Host])[] = [
  [
    'Express',
    async (tokens, gate, listen) => {
      const app = express()
      app.use(onExpress.authenticate(tokens))
      app.get('/stream', (_, res) => void res.write('begun'))
      app.get('/slow', async (_, res) => {
        await gate()
        res.end()
      })
      app.get('/late', (_req, _res, next) => void gate().then(() => next()), onExpress.requireScopes('stock:write'))
      app.get('/refused', onExpress.requireScopes('stock:write'))
      app.get('/listens', (req, res) => {
        listen(req.principal)
        res.end()
      })
      app.get('/fast', (_, res) => void res.end())
      const server = app.listen(0, '127.0.0.1')
      onTestFinished(() => void server.close().closeAllConnections())
      return await listening(server)
    },
  ],
  [
    'Koa',
    async (tokens, gate, listen) => {
      const router = new Router()
      router.get('/stream', async (ctx) => {
        ctx.res.write('begun')
        ctx.respond = false
      })
      router.get('/slow', async (ctx) => {
        await gate()
        ctx.body = ''
      })
      router.get('/late', (_, next) => gate().then(next), onKoa.requireScopes('stock:write'))
      router.get('/refused', onKoa.requireScopes('stock:write'))
      router.get('/listens', (ctx) => {
        listen(ctx.state.principal)
        ctx.body = ''
      })
      router.get('/fast', (ctx) => {
        ctx.body = ''
      })
      const app = new Koa().use(onKoa.authenticate(tokens)).use(router.routes())
      app.silent = true
      const server = createServer(app.callback()).listen(0, '127.0.0.1')
      onTestFinished(() => void server.close().closeAllConnections())
      return await listening(server)
    },
  ],
  [
    'Fastify',
    async (tokens, gate, listen) => {
      const app = Fastify({ forceCloseConnections: true })
      onTestFinished(() => void app.close())
      await app.register(onFastify.authenticate, { tokens })
      app.get('/stream', (_, reply) => {
        reply.hijack()
        reply.raw.write('begun')
      })
      app.get('/slow', async () => {
        await gate()
        return ''
      })
      app.get('/late', { onRequest: [async () => gate(), onFastify.requireScopes('stock:write')] }, async () => '')
      app.get('/refused', { onRequest: onFastify.requireScopes('stock:write') }, async () => '')
      app.get('/listens', async (request) => {
        listen(request.principal)
        return ''
      })
      app.get('/fast', async () => '')
      return await app.listen({ port: 0, host: '127.0.0.1' })
    },
  ],
  [
    'Hono',
    async (tokens, gate, listen) => {
      const app = new Hono()
      app.use(onHono.authenticate(tokens))
      app.get(
        '/stream',
        () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('begun')) })),
      )
      app.get('/slow', async (c) => {
        await gate()
        return c.text('')
      })
      app.get(
        '/late',
        (_, next) => gate().then(next),
        onHono.requireScopes('stock:write'),
        (c) => c.text(''),
      )
      app.get('/refused', onHono.requireScopes('stock:write'), (c) => c.text(''))
      app.get('/listens', (c) => {
        listen(c.var.principal)
        return c.text('')
      })
      app.get('/fast', (c) => c.text(''))
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
      onTestFinished(() => void server.close())
      return await listening(server)
    },
  ],
]

describe.each(HOSTS)('on %s', (name, host) => {
  async function opened() {
    const store = memoryStore()
    const [tokens, other] = [instance({ store }), instance({ store })]
    const { token, record } = await mint(tokens)
    const waiting: (() => void)[] = []
    const signals: Principal[] = []
    const origin = await host(
      tokens,
      () => new Promise((resolve) => waiting.push(resolve)),
      (principal) => {
        if (principal === undefined) return
        principal.signal.addEventListener('abort', () => undefined)
        signals.push(principal)
      },
    )
    const left = new AbortController()
    onTestFinished(() => left.abort())
    const ask = (path: string) => fetch(`${origin}${path}`, { headers: { authorization: `Bearer ${token}` }, signal: left.signal })
    const usage = () => other.system.usage(record.id)
    /** Sends requests on one connection without waiting for responses, and closes the connection once this condition holds. */
    const cut = async (paths: readonly string[], when: () => boolean): Promise<void> => {
      const socket = connect(Number(new URL(origin).port), '127.0.0.1').on('error', () => undefined)
      socket.resume().write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`).join(''))
      await until(when)
      socket.destroy()
    }
    return { tokens, ask, usage, waiting, cut, signals }
  }

  it('requests that are still being handled when the instance closes are counted, with their endpoints', async () => {
    const { tokens, ask, usage, waiting } = await opened()
    await ask('/stream')
    const slow = ask('/slow')
    await until(() => waiting.length === 1)
    await tokens.close()
    expect(await usage()).toMatchObject({
      total: 2,
      endpoints: expect.arrayContaining([
        { endpoint: 'GET /stream', count: 1 },
        { endpoint: 'GET /slow', count: 1 },
      ]),
    })
    waiting[0]?.()
    expect((await slow).status).toBe(200)
    expect(await usage()).toMatchObject({ total: 2 })
  })

  it('a stream is counted once, soon after it has begun', async () => {
    const { tokens, ask, usage } = await opened()
    const { body } = await ask('/stream')
    await until(async () => (await usage()).total === 1)
    await body?.cancel()
    await tokens.flush()
    await tokens.close()
    expect(await usage()).toMatchObject({ total: 1, endpoints: [{ endpoint: 'GET /stream', count: 1 }] })
  })

  it('a request is not counted while a check can still refuse it', async () => {
    const { tokens, ask, usage, waiting } = await opened()
    const late = ask('/late')
    await until(() => waiting.length === 1)
    await tokens.flush()
    expect(await usage()).toMatchObject({ total: 0, refused: 0 })
    waiting[0]?.()
    expect((await late).status).toBe(403)
    await until(async () => {
      await tokens.flush()
      return (await usage()).refused === 1
    })
    expect(await usage()).toMatchObject({ total: 0, outcomes: [{ outcome: 'scope_insufficient', count: 1 }] })
  })

  it('requests that wait behind another response are counted when their connection is cut, and their signals are released', async () => {
    const { tokens, ask, usage, waiting, cut, signals } = await opened()
    await cut(['/slow', ...Array<string>(5).fill('/listens'), '/refused'], () => waiting.length === 1 && signals.length === 5)
    waiting[0]?.()
    await until(async () => {
      await tokens.flush()
      const { total, refused } = await usage()
      return total + refused === 7
    })
    expect((await usage()).outcomes).toEqual([
      { outcome: 'allowed', count: 6 },
      { outcome: 'scope_insufficient', count: 1 },
    ])
    await until(() => !signals.some(hasSignal))
    expect((await ask('/fast')).status).toBe(200)
  })

  it('a request whose client disconnected before a check refused it is counted as refused', async () => {
    const { tokens, usage, waiting, cut } = await opened()
    await cut(['/late'], () => waiting.length === 1)
    // A check may take some time, during which uses may be written any number of times.
    for (let flushes = 0; flushes < 4; flushes += 1) await tokens.flush()
    waiting[0]?.()
    await until(async () => {
      await tokens.flush()
      return (await usage()).refused === 1
    })
    expect(await usage()).toMatchObject({ total: 0, buckets: [{ endpoint: 'GET /late', outcome: 'scope_insufficient' }] })
  })

  it('a refusal is recorded, but not counted again, if the request was counted long after its client had disconnected', async () => {
    const { tokens, usage, waiting, cut } = await opened()
    await cut(['/late'], () => waiting.length === 1)
    if (name !== 'Hono') {
      await until(async () => {
        await tokens.flush()
        return (await usage()).total === 1
      })
    }
    waiting[0]?.()
    await until(async () => {
      await tokens.flush()
      return (await tokens.system.events({ action: 'token.refused' })).items.length === 1
    })
    expect((await tokens.system.events({ action: 'token.refused' })).items).toMatchObject([{ code: 'scope_insufficient', count: 1 }])
    const { total, refused } = await usage()
    expect([total, refused]).toEqual(name === 'Hono' ? [0, 1] : [1, 0])
  })

  // Hono reports when its handlers have ended, however long that takes.
  if (name === 'Hono') return

  it('a request whose client disconnected and that never gets a response is counted once', async () => {
    const { tokens, usage, waiting, cut } = await opened()
    await cut(['/slow'], () => waiting.length === 1)
    await until(async () => {
      await tokens.flush()
      return (await usage()).total === 1
    })
    await tokens.close()
    expect(await usage()).toMatchObject({ total: 1, endpoints: [{ endpoint: 'GET /slow', count: 1 }] })
  })
})
