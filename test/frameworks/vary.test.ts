import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { authenticate as onExpress } from 'latchkey/express'
import { authenticate as onFastify } from 'latchkey/fastify'
import { authenticate as onKoa } from 'latchkey/koa'
import { expect, it } from 'vitest'
import { keepVary, withVary } from '../../adapters/frameworks/node/vary.js'
import { kit, served } from '../support/http/tokens.js'

const OPTIONS = { credential: { header: 'x-api-key' }, onWarning: () => undefined } as const

it('Express adds the header to Vary only once if there are two guards, and keeps existing values', async () => {
  const { tokens, token } = await kit()
  const app = express()
  app.use((_req, res, next) => {
    res.vary('Accept')
    next()
  })
  app.use(onExpress(tokens, { ...OPTIONS, optional: true }), onExpress(tokens, OPTIONS))
  app.get('/', (_req, res) => void res.end())
  await served(app, async (origin) => {
    expect((await fetch(origin, { headers: { 'x-api-key': token } })).headers.get('vary')).toBe('Accept, x-api-key')
  })
})

it('Fastify adds the header to Vary only once if there are two guards, and keeps existing values', async () => {
  const { tokens, token } = await kit()
  const app = fastify()
  app.addHook('onRequest', async (_request, reply) => void reply.header('vary', 'Accept'))
  await app.register(onFastify, { tokens, ...OPTIONS, optional: true })
  await app.register(onFastify, { tokens, ...OPTIONS })
  app.get('/', async () => '')
  expect((await app.inject({ url: '/', headers: { 'x-api-key': token } })).headers.vary).toBe('Accept, x-api-key')
  await app.close()
})

it('Express keeps the credential header in Vary when a handler sets or removes Vary', async () => {
  const { tokens, token } = await kit()
  const app = express()
  app.use(onExpress(tokens, { ...OPTIONS, optional: true }), onExpress(tokens, OPTIONS))
  app.get('/set', (_req, res) => void res.set('Vary', 'Origin').json({}))
  app.get('/removed', (_req, res) => {
    res.removeHeader('vary')
    res.end()
  })
  app.get('/fields', (_req, res) => void res.writeHead(200, 'Fine', { Vary: 'Origin', 'x-other': '1' }).end())
  app.get('/list', (_req, res) => void res.writeHead(200, ['Vary', 'Origin', 'x-other', '1']).end())
  app.get('/streamed', (_req, res) => {
    res.setHeader('vary', ['Origin', 'X-Api-Key'])
    res.write('a')
    res.end('b')
  })
  app.get('/flushed', (_req, res) => {
    res.setHeader('vary', '*')
    res.flushHeaders()
    res.end()
  })
  await served(app, async (origin) => {
    const seen = async (path: string) => {
      const { status, headers } = await fetch(`${origin}/${path}`, { headers: { 'x-api-key': token } })
      return [status, headers.get('vary'), headers.get('x-other')]
    }
    expect(await seen('set')).toEqual([200, 'Origin, x-api-key', null])
    expect(await seen('removed')).toEqual([200, 'x-api-key', null])
    expect(await seen('fields')).toEqual([200, 'Origin, x-api-key', '1'])
    expect(await seen('list')).toEqual([200, 'Origin, x-api-key', '1'])
    expect(await seen('streamed')).toEqual([200, 'Origin, X-Api-Key', null])
    expect(await seen('flushed')).toEqual([200, '*', null])
  })
})

it('Koa keeps the credential header in Vary when a handler sets Vary or throws', async () => {
  const { tokens, token } = await kit()
  const app = new Koa({ env: 'test' })
  app.silent = true
  app.use(onKoa(tokens, OPTIONS))
  app.use((ctx) => {
    ctx.set('Vary', 'Origin')
    if (ctx.path === '/throws') ctx.throw(418)
    ctx.body = 'fine'
  })
  await served(app.callback(), async (origin) => {
    const seen = async (path: string) => {
      const { status, headers } = await fetch(`${origin}${path}`, { headers: { 'x-api-key': token } })
      return [status, headers.get('vary')]
    }
    expect(await seen('/')).toEqual([200, 'Origin, x-api-key'])
    expect(await seen('/throws')).toEqual([418, 'x-api-key'])
  })
})

it.each([false, true])('Fastify keeps the credential header in Vary when a handler sets Vary (over HTTP/2: %s)', async (http2) => {
  const { tokens, token } = await kit()
  const app = fastify({ http2 } as object)
  await app.register(onFastify, { tokens, ...OPTIONS })
  app.get('/', async (_request, reply) => {
    reply.header('Vary', 'Origin')
    return {}
  })
  if (!http2) {
    expect((await app.inject({ url: '/', headers: { 'x-api-key': token } })).headers.vary).toBe('Origin, x-api-key')
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    expect((await fetch(`http://127.0.0.1:${port}/`, { headers: { 'x-api-key': token } })).headers.get('vary')).toBe('Origin, x-api-key')
  } else {
    await app.listen({ port: 0, host: '127.0.0.1' })
    expect(await overHttp2((app.server.address() as AddressInfo).port, token)).toBe('Origin, x-api-key')
  }
  await app.close()
})

it('an HTTP/2 response with implicit headers keeps the credential header in Vary', async () => {
  const server = createServer((_request, response) => {
    keepVary(response, 'x-api-key')
    response.setHeader('vary', 'Origin')
    response.end('fine')
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  expect(await overHttp2((server.address() as AddressInfo).port, '')).toBe('Origin, x-api-key')
  server.close()
})

it('withVary() does not mistake a name with the same prefix for the header', () => {
  expect(withVary('x-api-key-2', 'x-api-key')).toBe('x-api-key-2, x-api-key')
  expect(withVary(undefined, 'authorization, x-api-key')).toBe('authorization, x-api-key')
})

/** Returns the `Vary` header of a response. */
async function overHttp2(port: number, token: string): Promise<unknown> {
  const session = connect(`http://127.0.0.1:${port}`)
  try {
    return await new Promise((resolve, reject) => {
      session.once('error', reject)
      const stream = session.request({ ':path': '/', 'x-api-key': token }).once('error', reject)
      stream.once('response', (headers) => resolve(headers.vary)).resume()
    })
  } finally {
    session.close()
  }
}
