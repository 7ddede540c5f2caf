import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import Router from '@koa/router'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import type { Latchkey } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { instance, mint, type Scope, until } from '../latchkey/harness.js'

/** `/stream` begins its response at once and never ends it. `/slow` waits for the gate. `/late` waits for it before it checks a scope. */
type Host = (tokens: Latchkey<Scope>, gate: () => Promise<void>) => Promise<string> | string

const listening = async (server: { once(event: 'listening', listener: () => void): unknown; address(): unknown }): Promise<string> => {
  if (server.address() === null) await new Promise<void>((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const HOSTS: readonly (readonly [string, Host])[] = [
  [
    'Express',
    async (tokens, gate) => {
      const app = express()
      app.use(onExpress.authenticate(tokens))
      app.get('/stream', (_, res) => void res.write('begun'))
      app.get('/slow', async (_, res) => {
        await gate()
        res.end()
      })
      app.get('/late', (_req, _res, next) => void gate().then(() => next()), onExpress.requireScopes('stock:write'))
      const server = app.listen(0, '127.0.0.1')
      onTestFinished(() => void server.close().closeAllConnections())
      return await listening(server)
    },
  ],
  [
    'Koa',
    async (tokens, gate) => {
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
      const app = new Koa().use(onKoa.authenticate(tokens)).use(router.routes())
      const server = createServer(app.callback()).listen(0, '127.0.0.1')
      onTestFinished(() => void server.close().closeAllConnections())
      return await listening(server)
    },
  ],
  [
    'Fastify',
    async (tokens, gate) => {
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
      return await app.listen({ port: 0, host: '127.0.0.1' })
    },
  ],
  [
    'Hono',
    async (tokens, gate) => {
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
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
      onTestFinished(() => void server.close())
      return await listening(server)
    },
  ],
]

describe.each(HOSTS)('on %s', (_name, host) => {
  async function opened() {
    const store = memoryStore()
    const [tokens, other] = [instance({ store }), instance({ store })]
    const { token, record } = await mint(tokens)
    const waiting: (() => void)[] = []
    const origin = await host(tokens, () => new Promise((resolve) => waiting.push(resolve)))
    const left = new AbortController()
    onTestFinished(() => left.abort())
    const ask = (path: string) => fetch(`${origin}${path}`, { headers: { authorization: `Bearer ${token}` }, signal: left.signal })
    const usage = () => other.system.usage(record.id)
    return { tokens, ask, usage, waiting }
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
})
