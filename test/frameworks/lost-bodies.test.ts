import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import express5, { type RequestHandler } from 'express'
import express4 from 'express4'
import { Hono } from 'hono'
import Koa from 'koa'
import mount from 'koa-mount'
import { type Actor, type Latchkey, latchkey } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import * as onWeb from 'latchkey/web'
import { describe, expect, it, onTestFinished } from 'vitest'

const PATH = '/admin/tokens'
const ada: Actor = { id: 'ada', tenants: ['acme'], manages: 'all' }
const actor = () => ada

/** Reads the body to its end and discards it. */
const reads: RequestHandler = (req, _res, next) => void req.resume().on('end', () => next())
/** Reads the body to its end and replaces it with another body. */
const leaves =
  (body: unknown): RequestHandler =>
  (req, _res, next) =>
    void req.resume().on('end', () => {
      req.body = body
      next()
    })
/** Continues after a parser fails. */
const swallows =
  (parser: RequestHandler): RequestHandler =>
  (req, res, next) =>
    parser(req, res, () => next())

function behind(express: typeof express5, ...before: readonly RequestHandler[]): (tokens: Latchkey) => RequestListener {
  return (tokens) => {
    const app = express()
    for (const handler of before) app.use(handler)
    return app.use(PATH, onExpress.management(tokens, { actor }))
  }
}

function fetchBehindExpress(fetchOf: (tokens: Latchkey) => (request: Request) => Response | Promise<Response>) {
  return (tokens: Latchkey): RequestListener =>
    express5()
      .use(express5.json())
      .use(getRequestListener(fetchOf(tokens)))
}

function onKoaAfter(body: unknown): (tokens: Latchkey) => RequestListener {
  return (tokens) => {
    const app = new Koa()
    app.silent = true
    app.use(async (ctx, next) => {
      for await (const _ of ctx.req);
      Reflect.set(ctx.request, 'body', body)
      await next()
    })
    return app.use(mount(PATH, onKoa.management(tokens, { actor }))).callback()
  }
}

/** Setups in which the sent body does not reach latchkey. */
const LOSING: readonly [name: string, listener: (tokens: Latchkey) => RequestListener][] = [
  ['Express 4: a reader', behind(express4, reads)],
  ['Express 4: a reader, then a form parser', behind(express4, reads, express4.urlencoded({ extended: false }))],
  ['Express 4: a form parser, then a reader', behind(express4, express4.urlencoded({ extended: false }), reads)],
  ['Express 4: a parser of another type, then a reader', behind(express4, express4.json({ type: 'application/vnd.acme+json' }), reads)],
  ['Express 4: a parser that failed', behind(express4, swallows(express4.json({ limit: 4 })))],
  ['Express 5: a parser that failed', behind(express5, swallows(express5.json({ limit: 4 })))],
  ['Express 5: a reader that leaves an empty object', behind(express5, leaves({}))],
  ['Express 5: a reader that leaves null', behind(express5, leaves(null))],
  ['Express 5: a reader that leaves no text', behind(express5, leaves(''))],
  ['Express 5: a reader that leaves no bytes', behind(express5, leaves(Buffer.alloc(0)))],
  ['Koa: a reader that leaves an empty object', onKoaAfter({})],
  ['Koa: a reader that leaves nothing', onKoaAfter(undefined)],
  ['Hono behind Express', fetchBehindExpress((tokens) => new Hono().route(PATH, onHono.management(tokens, { actor })).fetch)],
  ['standard requests behind Express', fetchBehindExpress((tokens) => onWeb.management(tokens, { actor, mountPath: PATH }))],
]

function instance(): Latchkey {
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' }, logger: false })
  onTestFinished(() => tokens.close())
  return tokens
}

const mint = (tokens: Latchkey) => tokens.system.create({ name: 'ERP', tenantId: 'acme', scopes: ['inventory:read'] as never[] })

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** Sends a body of unknown length. */
const inChunks = (text: string) => ({ body: new Blob([text]).stream(), duplex: 'half' }) as RequestInit

describe('a body that was already read', () => {
  it.each(LOSING)('a body that was already read is refused with 400 instead of being treated as missing: %s', async (_name, listener) => {
    const tokens = instance()
    const base = await listening(createServer(listener(tokens)))
    for (const send of [(text: string): RequestInit => ({ body: text }), inChunks]) {
      const { token, record } = await mint(tokens)
      const rotated = await fetch(`${base}/${record.id}/rotate`, { method: 'POST', headers: JSON_TYPE, ...send('{"overlap":"7d"}') })
      expect([rotated.status, await rotated.text()]).toEqual([
        400,
        expect.stringMatching(/something read (?:it first|the body before latchkey)/),
      ])
      const revoked = await fetch(`${base}/${record.id}/revoke`, { method: 'POST', headers: JSON_TYPE, ...send('{"reason":"left"}') })
      expect(revoked.status).toBe(400)
      expect(await tokens.verify(token)).toMatchObject({ ok: true })
    }
  })

  it('over HTTP/2, a body that was already read is refused with 400 instead of being treated as missing', async () => {
    const tokens = instance()
    const app = new Hono().route(PATH, onHono.management(tokens, { actor }))
    const listener = getRequestListener(app.fetch)
    const server = createHttp2Server((request, response) => {
      request.resume().on('end', () => void listener(request as never, response as never))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    onTestFinished(async () => {
      session.close()
      await new Promise((resolve) => server.close(resolve))
    })
    const { token, record } = await mint(tokens)
    const stream = session.request({ ':method': 'POST', ':path': `${PATH}/${record.id}/rotate`, ...JSON_TYPE })
    stream.end('{"overlap":"7d"}')
    const [headers] = await once(stream.resume(), 'response')
    expect(headers[':status']).toBe(400)
    expect(await tokens.verify(token)).toMatchObject({ ok: true })
  })
})

describe('a request without a body', () => {
  it.each<[name: string, listener: (tokens: Latchkey) => RequestListener]>([
    ['behind no parser', behind(express5)],
    ['behind a reader', behind(express5, reads)],
    ['behind a JSON parser', behind(express5, express5.json())],
    ['behind Express 4 parsers', behind(express4, express4.json(), express4.urlencoded({ extended: false }))],
    ['behind a reader on Koa', onKoaAfter({})],
  ])('a request without a body is accepted: %s', async (_name, listener) => {
    const tokens = instance()
    const base = await listening(createServer(listener(tokens)))
    for (const init of [{}, { body: '' }]) {
      const { record } = await mint(tokens)
      expect((await fetch(`${base}/${record.id}/rotate`, { method: 'POST', headers: JSON_TYPE, ...init })).status).toBe(201)
    }
  })

  it('an empty object is treated as a missing body, even behind a JSON parser', async () => {
    const tokens = instance()
    const base = await listening(createServer(behind(express5, express5.json())(tokens)))
    const { record } = await mint(tokens)
    expect((await fetch(`${base}/${record.id}/rotate`, { method: 'POST', headers: JSON_TYPE, body: '{}' })).status).toBe(201)
  })

  it.each(['null', '[]', '0', '""'])('a body of %s is not treated as a missing body', async (body) => {
    const tokens = instance()
    const base = await listening(createServer(behind(express5)(tokens)))
    const { token, record } = await mint(tokens)
    for (const verb of ['rotate', 'revoke', 'deactivate', 'activate']) {
      expect((await fetch(`${base}/${record.id}/${verb}`, { method: 'POST', headers: JSON_TYPE, body })).status).toBe(400)
    }
    expect(await tokens.verify(token)).toMatchObject({ ok: true })
  })
})
