import Router from '@koa/router'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import type { Warning } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { testLatchkey } from 'latchkey/testing'
import * as onWeb from 'latchkey/web'
import { afterAll, expect, it } from 'vitest'
import { served } from '../support/http/tokens.js'

const { tokens } = testLatchkey({ scopes: { 'inventory:read': 'See stock' } })
afterAll(() => tokens.close())
const { token } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
const headers = { authorization: `Bearer ${token}` }

const collector = () => {
  const told: Warning[] = []
  return { told, onWarning: (warning: Warning) => void told.push(warning) }
}

const says = (route: string) => [
  expect.objectContaining({
    code: 'LATCHKEY_W016',
    message: expect.stringMatching(
      new RegExp(`: ${route}: the function for warehouse returned undefined; check the names of the route's parameters$`),
    ),
  }),
]

it('a resource function that reads a misnamed parameter is reported once for its route on Express', async () => {
  const { told, onWarning } = collector()
  const app = express().use(onExpress.authenticate(tokens, { onWarning }))
  app.get(
    '/w/:id',
    onExpress.requireScopes('inventory:read', { warehouse: (req) => req.params.warehouseId as string }),
    (_req, res) => void res.end(),
  )
  await served(app, async (origin) => {
    for (const id of [1, 2]) expect((await fetch(`${origin}/w/${id}`, { headers })).status).toBe(403)
  })
  expect(told).toEqual(says('GET /w/:id'))
})

it('a resource function that reads a misnamed parameter is reported once for its route on Koa', async () => {
  const { told, onWarning } = collector()
  const router = new Router()
  router.get('/w/:id', onKoa.requireScopes('inventory:read', { warehouse: (ctx) => ctx.params.warehouseId }), () => undefined)
  const app = new Koa().use(onKoa.authenticate(tokens, { onWarning })).use(router.routes())
  await served(app.callback(), async (origin) => {
    for (const id of [1, 2]) expect((await fetch(`${origin}/w/${id}`, { headers })).status).toBe(403)
  })
  expect(told).toEqual(says('GET /w/:id'))
})

it('a resource function that reads a misnamed parameter is reported once for its route on Fastify', async () => {
  const { told, onWarning } = collector()
  const app = fastify()
  await app.register(onFastify.authenticate, { tokens, onWarning })
  const warehouse = async (request: { params: unknown }): Promise<string> => Object(request.params).warehouseId
  app.get('/w/:id', { onRequest: onFastify.requireScopes('inventory:read', { warehouse }) }, () => ({}))
  for (const id of [1, 2]) expect((await app.inject({ url: `/w/${id}`, headers })).statusCode).toBe(403)
  expect(told).toEqual(says('GET /w/:id'))
})

it('a resource function that reads a misnamed parameter is reported once for its route on Hono', async () => {
  const { told, onWarning } = collector()
  const app = new Hono().use(onHono.authenticate(tokens, { onWarning }))
  app.get('/w/:id', onHono.requireScopes('inventory:read', { warehouse: (c) => c.req.param('warehouseId') }), (c) => c.text(''))
  for (const id of [1, 2]) expect((await app.request(`/w/${id}`, { headers })).status).toBe(403)
  expect(told).toEqual(says('GET /w/:id'))
})

it('a resource function that does not return text is reported with the kind of its result, and empty text is not reported', async () => {
  const { told, onWarning } = collector()
  const ask = async (value: unknown): Promise<void> => {
    const require = onWeb.requireScopes('inventory:read', { warehouse: () => value as string })
    const { response } = await onWeb.authenticate(tokens, new Request('http://a.test/', { headers }), { require, onWarning })
    expect(response?.status).toBe(403)
  }
  for (const value of ['', [], [7]]) await ask(value)
  expect(told).toEqual([])
  for (const value of [7, null, { id: 'w1' }]) await ask(value)
  expect(told.map(({ message }) => /warehouse returned (.*?);/.exec(message)?.[1])).toEqual([
    'a value of type number',
    'null',
    'a value of type object',
  ])
})
