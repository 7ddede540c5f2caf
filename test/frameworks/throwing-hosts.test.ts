import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import type { Latchkey } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onKoa from 'latchkey/koa'
import { authenticateUpgrade } from 'latchkey/ws'
import { expect, it, onTestFinished } from 'vitest'
import { instance, mint, warm } from '../latchkey/harness.js'

type Serve = (tokens: Latchkey<never>) => Promise<number>

const listening = async (server: ReturnType<typeof createServer>): Promise<number> => {
  if (!server.listening) await once(server.listen(0), 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

const SERVERS: { readonly [framework: string]: Serve } = {
  express: (tokens) => listening(createServer(express().use(onExpress.authenticate(tokens), (_req, res) => void res.end('ran')))),
  koa(tokens) {
    const app = new Koa()
    app.use(onKoa.authenticate(tokens)).use((ctx) => {
      ctx.body = 'ran'
    })
    return listening(createServer(app.callback()))
  },
  async fastify(tokens) {
    const app = fastify()
    await app.register(onFastify.authenticate, { tokens })
    app.get('/', async () => 'ran')
    await app.listen({ port: 0 })
    return listening(app.server)
  },
  ws(tokens) {
    const server = createServer()
    server.on('upgrade', async (request, socket) => {
      const upgrade = await authenticateUpgrade(tokens, request)
      if (!upgrade.ok) return upgrade.reject(socket)
      socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    })
    return listening(server)
  },
}

it.each(Object.keys(SERVERS))('a clock that throws an error with throwing fields causes a 503 on %s', async (framework) => {
  let away = false
  const error = Object.defineProperty(new Error('the time is unavailable'), 'retryAfterSeconds', {
    get() {
      throw new TypeError('no such header')
    },
  })
  const clock = (): number => {
    if (away) throw error
    return Date.now()
  }
  const tokens = instance({ clock, cache: false })
  const { token } = await mint(tokens)
  const port = await SERVERS[framework]?.(tokens as unknown as Latchkey<never>)
  away = true
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
  expect(await statusOf(port, { authorization: `Bearer ${token}`, ...(framework === 'ws' && upgrade) })).toBe(503)
})

it.each(['from memory', 'after a store read'])(
  'Fastify answers 503 if no principal can be attached to a request whose token was verified %s',
  async (how) => {
    const tokens = instance(how === 'from memory' ? {} : { cache: false })
    const { token } = await mint(tokens)
    if (how === 'from memory') await warm(tokens, token)
    const app = fastify()
    const principal = {
      getter: () => undefined,
      setter() {
        throw new Error('read-only here')
      },
    }
    app.decorateRequest('principal', principal as never)
    await app.register(onFastify.authenticate, { tokens })
    app.get('/', async () => 'ran')
    await app.listen({ port: 0 })
    expect(await statusOf(await listening(app.server), { authorization: `Bearer ${token}` })).toBe(503)
  },
)

async function statusOf(port: number | undefined, headers: Record<string, string>): Promise<number | undefined> {
  const asking = request({ port, headers })
  asking.end()
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode
}
