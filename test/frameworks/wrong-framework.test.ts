import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { LatchkeyGuard } from 'latchkey/nest'
import { testLatchkey } from 'latchkey/testing'
import * as onWeb from 'latchkey/web'
import { afterAll, afterEach, expect, it, vi } from 'vitest'
import { served } from '../support/http/tokens.js'

const { tokens } = testLatchkey({ scopes: { 'inventory:read': 'See stock' }, logger: false })
afterAll(() => tokens.close())
afterEach(() => void vi.restoreAllMocks())

/** Serves the middleware on a framework, and returns the status of a request and the errors that the framework reported. */
type Serve = (middleware: unknown) => Promise<{ readonly status: number; readonly errors: string }>

const byKoa: Serve = async (middleware) => {
  const errors: unknown[] = []
  const app = new Koa().use(middleware as never).use((ctx) => {
    ctx.body = 'open'
  })
  app.on('error', (error) => void errors.push(error))
  const status = await served(app.callback(), async (origin) => (await fetch(origin)).status)
  return { status, errors: errors.join() }
}

const byExpress: Serve = async (middleware) => {
  const errors: unknown[] = []
  const tell = (error: unknown, _req: unknown, res: express.Response, _next: unknown): void => {
    errors.push(error)
    res.status(500).end()
  }
  const app = express().use(middleware as never, (_req, res) => void res.send('open'))
  const status = await served(app.use(tell), async (origin) => (await fetch(origin)).status)
  return { status, errors: errors.join() }
}

const byHono: Serve = async (middleware) => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const app = new Hono().use(middleware as never).get('/', (c) => c.text('open'))
  const { status } = await app.request('/')
  return { status, errors: log.mock.calls.join() }
}

const byFastify: Serve = async (middleware) => {
  const app = fastify()
  app.get('/', { onRequest: middleware as never }, () => 'open')
  const { statusCode, body } = await app.inject('/')
  return { status: statusCode, errors: body }
}

const EXPRESS = 'request: is not an Express request: import from latchkey/koa, latchkey/fastify, latchkey/hono or latchkey/web'
const HONO = 'request: is not a Hono request: import from latchkey/express, latchkey/koa, latchkey/fastify or latchkey/web'

it.each([
  ['Express', 'authenticate', 'Koa', onExpress.authenticate(tokens), byKoa, EXPRESS],
  ['Express', 'protect', 'Koa', onExpress.protect(tokens, 'inventory:read'), byKoa, EXPRESS],
  ['Express', 'authenticate', 'Fastify', onExpress.authenticate(tokens), byFastify, EXPRESS],
  ['Express', 'protect', 'Fastify', onExpress.protect(tokens, 'inventory:read'), byFastify, EXPRESS],
  ['Express', 'authenticate', 'Hono', onExpress.authenticate(tokens), byHono, EXPRESS],
  ['Hono', 'authenticate', 'Koa', onHono.authenticate(tokens), byKoa, HONO],
  ['Hono', 'protect', 'Koa', onHono.protect(tokens, 'inventory:read'), byKoa, HONO],
  ['Hono', 'authenticate', 'Express', onHono.authenticate(tokens), byExpress, HONO],
] as const)('%s middleware (%s) on %s handles no request and reports what to import', async (_of, _name, _on, made, serve, says) => {
  const { status, errors } = await serve(made)
  expect(status).toBeGreaterThanOrEqual(400)
  expect(errors).toContain(says)
})

it('Koa middleware on Express handles no request', async () => {
  const { status } = await byExpress(onKoa.authenticate(tokens))
  expect(status).toBe(500)
})

it.each([
  ['protect', onFastify.protect(tokens, 'inventory:read')],
  ['requireScopes', onFastify.requireScopes('inventory:read')],
])('the result of %s registered as a Fastify plugin is rejected with a hint about where it belongs', async (_name, hook) => {
  const app = fastify()
  app.register(hook as never)
  await expect(app.ready()).rejects.toThrow('the guard is a hook: app.get(path, { onRequest: protect(tokens, scope) }, handler)')
})

it('the outcome of authenticate() on web requests cannot be read without await', async () => {
  const outcome = onWeb.authenticate(tokens, new Request('https://x/stock')) as never as onWeb.Outcome
  for (const read of [() => outcome.response, () => outcome.principal]) expect(read).toThrow('authenticate() returns a promise: await it')
  expect((await outcome).response?.status).toBe(401)
})

it.each([
  ['nothing', []],
  ['the instance', [tokens]],
])('a Nest guard created with new and %s is rejected with a hint about what to write', (_name, args) => {
  expect(() => Reflect.construct(LatchkeyGuard, args)).toThrow('write @UseGuards(LatchkeyGuard), without new')
})
