import Router from '@koa/router'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { requireScopes as onFastify } from 'latchkey/fastify'
import { requireScopes as onHono } from 'latchkey/hono'
import { requireScopes as onKoa } from 'latchkey/koa'
import { requireScopes as onWeb } from 'latchkey/web'
import { afterEach, expect, it, vi } from 'vitest'
import { served } from '../support/http/tokens.js'

afterEach(() => void vi.restoreAllMocks())

const listen = (): (() => (string | undefined)[]) => {
  const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  return () => emit.mock.calls.map(([text]) => String(text).match(/did not run: (.*?) \(see/)?.[1])
}

it('requireScopes names a route without a guard on Koa', async () => {
  const told = listen()
  const router = new Router()
  router.get('/koa/:id', onKoa('a:read'), () => undefined)
  const app = new Koa().use(router.routes())
  await served(app.callback(), async (origin) => expect((await fetch(`${origin}/koa/1`)).status).toBe(500))
  expect(told()).toEqual(['GET /koa/:id'])
})

it('requireScopes names a route without a guard on Fastify', async () => {
  const told = listen()
  const app = fastify()
  app.get('/fastify/:id', { onRequest: onFastify('a:read') }, () => ({}))
  expect((await app.inject('/fastify/1')).statusCode).toBe(500)
  expect(told()).toEqual(['GET /fastify/:id'])
})

it('requireScopes names a route without a guard on Hono', async () => {
  const told = listen()
  const app = new Hono().get('/hono/:id', onHono('a:read'), (c) => c.text(''))
  expect((await app.request('/hono/1')).status).toBe(500)
  expect(told()).toEqual(['GET /hono/:id'])
})

it('requireScopes names an unguarded web route by its scopes', async () => {
  const told = listen()
  expect((await onWeb('web-alone:read')(new Request('http://a.test/web/1')))?.status).toBe(500)
  expect(told()).toEqual(['a route that requires web-alone:read'])
})
