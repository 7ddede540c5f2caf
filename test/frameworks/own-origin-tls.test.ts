import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import {
  createServer as createHttpServer,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  type Server,
} from 'node:http'
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Controller, HttpCode, Post } from '@nestjs/common'
import { APP_GUARD, NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { latchkey } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { type HttpRequest, LatchkeyGuard, LatchkeyModule } from 'latchkey/nest'
import { memoryStore } from 'latchkey/stores/memory'
import * as onWeb from 'latchkey/web'
import { authenticateUpgrade } from 'latchkey/ws'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { makeCertificates, opensslMissing } from '../support/tls.js'
import 'reflect-metadata'

const missing = opensslMissing()
const tokens = latchkey({ prefix: 'acme_test', store: memoryStore(), scopes: { 'a:read': 'Read' }, logger: false })
const options = { session: () => ({ id: 'ann', scopes: '*' as const }), onWarning: () => undefined }

type Tls = { readonly key: string; readonly cert: string }
let tls: Tls

class ChangeController {
  change(): string {
    return 'done'
  }
}
const change = Object.getOwnPropertyDescriptor(ChangeController.prototype, 'change') as PropertyDescriptor
HttpCode(200)(ChangeController.prototype, 'change', change)
Post('change')(ChangeController.prototype, 'change', change)
Controller()(ChangeController)

class GuardedModule {}
const nestModule = {
  module: GuardedModule,
  imports: [LatchkeyModule.forRoot({ tokens, ...options, session: (_request: HttpRequest) => options.session() })],
  controllers: [ChangeController],
  providers: [{ provide: APP_GUARD, useClass: LatchkeyGuard }],
}

const toServer = (listener: RequestListener, secure: Tls | undefined): Server =>
  secure === undefined ? createHttpServer(listener) : createHttpsServer(secure, listener)

const opened = async (server: Server): Promise<number> => {
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

/** `trusts`: whether the framework trusts the header fields of a proxy. */
type Start = (secure: Tls | undefined, trusts: boolean) => Promise<number>

const TRUSTING: { readonly [framework: string]: Start } = {
  Express: (secure, trusts) => {
    const app = express().set('trust proxy', trusts ? 'loopback' : false)
    app.post('/change', onExpress.authenticate(tokens, options), (_req, res) => void res.send('done'))
    return opened(toServer(app, secure))
  },
  Koa: (secure, trusts) => {
    const app = new Koa({ proxy: trusts, maxIpsCount: 1 })
    app.use(onKoa.authenticate(tokens, options)).use((ctx) => {
      ctx.body = 'done'
    })
    return opened(toServer(app.callback(), secure))
  },
  Fastify: async (secure, trusts) => {
    const trustProxy = trusts && 'loopback'
    const app =
      secure === undefined ? fastify({ trustProxy }) : (fastify({ https: secure, trustProxy }) as unknown as ReturnType<typeof fastify>)
    onTestFinished(() => app.close())
    await app.register(onFastify.authenticate, { tokens, ...options })
    app.post('/change', async () => 'done')
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  },
  'Nest on Express': async (secure, trusts) => {
    const server = express().set('trust proxy', trusts ? 'loopback' : false)
    const app = await NestFactory.create(nestModule, new ExpressAdapter(server), { logger: false, ...(secure && { httpsOptions: secure }) })
    onTestFinished(() => app.close())
    return ((await app.listen(0, '127.0.0.1')).address() as AddressInfo).port
  },
  'Nest on Fastify': async (secure, trusts) => {
    const adapter = new FastifyAdapter({ trustProxy: trusts && 'loopback', ...(secure && { https: secure }) } as object)
    const app = await NestFactory.create<NestFastifyApplication>(nestModule, adapter, { logger: false })
    onTestFinished(() => app.close())
    return ((await app.listen(0, '127.0.0.1')).address() as AddressInfo).port
  },
}

const SERVERS: { readonly [framework: string]: Start } = {
  ...TRUSTING,
  Hono: (secure) => {
    const app = new Hono()
    app.post('/change', onHono.authenticate(tokens, options), (c) => c.text('done'))
    const over = secure && { createServer: createHttpsServer, serverOptions: secure }
    return opened(serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1', ...over }) as Server)
  },
  'web requests': (secure) => {
    const answer = async (request: Request): Promise<Response> =>
      (await onWeb.authenticate(tokens, request, options)).response ?? new Response('done')
    const over = secure && { createServer: createHttpsServer, serverOptions: secure }
    return opened(serve({ fetch: answer, port: 0, hostname: '127.0.0.1', ...over }) as Server)
  },
  'a WebSocket server': (secure) => {
    const server = toServer(() => undefined, secure)
    server.on('upgrade', async (request, socket) => {
      const upgrade = await authenticateUpgrade(tokens, request, options)
      if (!upgrade.ok) return upgrade.reject(socket)
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    })
    return opened(server)
  },
}

async function send(name: string, port: number, secure: boolean, headers: OutgoingHttpHeaders): Promise<number | undefined> {
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  const method = name === 'a WebSocket server' ? { headers: { ...upgrade, ...headers } } : { method: 'POST', headers }
  const asked = (secure ? httpsRequest : httpRequest)({
    port,
    host: '127.0.0.1',
    path: '/change',
    rejectUnauthorized: false,
    agent: false,
    ...method,
  })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode
}

afterAll(() => tokens.close())

describe.skipIf(missing)(`a page that uses a session ${missing ?? ''}`, () => {
  beforeAll(async () => {
    const certificates = await makeCertificates()
    tls = { key: await readFile(certificates.key, 'utf8'), cert: await readFile(certificates.cert, 'utf8') }
    await certificates.remove()
  })

  it.each(Object.entries(SERVERS))('over TLS, %s accepts only a page that was itself loaded over TLS', async (name, start) => {
    const port = await start(tls, false)
    const from = (origin: string) => send(name, port, true, { host: 'api.example', origin })
    expect(await from('https://api.example')).toBe(200)
    for (const origin of ['http://api.example', 'app://api.example', 'chrome-extension://api.example', 'https://evil.example']) {
      expect([origin, await from(origin)]).toEqual([origin, 403])
    }
  })

  it.each(Object.entries(SERVERS))('without TLS, %s also accepts a page behind a proxy that ends TLS', async (name, start) => {
    const port = await start(undefined, false)
    const from = (origin: string) => send(name, port, false, { host: 'api.example', 'x-forwarded-proto': 'https', origin })
    for (const origin of ['http://api.example', 'https://api.example']) expect([origin, await from(origin)]).toEqual([origin, 200])
    for (const origin of ['app://api.example', 'https://evil.example']) expect([origin, await from(origin)]).toEqual([origin, 403])
  })

  it.each(Object.entries(TRUSTING))('%s accepts only a page over TLS if a trusted proxy says that it ended TLS', async (name, start) => {
    const port = await start(undefined, true)
    const from = (origin: string, proto: string) => send(name, port, false, { host: 'api.example', 'x-forwarded-proto': proto, origin })
    expect(await from('https://api.example', 'https')).toBe(200)
    expect(await from('http://api.example', 'https')).toBe(403)
    expect(await from('http://api.example', 'http')).toBe(200)
  })
})
