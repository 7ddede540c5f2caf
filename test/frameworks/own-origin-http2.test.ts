import { once } from 'node:events'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import Koa from 'koa'
import mount from 'koa-mount'
import { type Actor, type Latchkey, latchkey } from 'latchkey'
import * as onFastify from 'latchkey/fastify'
import * as onKoa from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'

const ADA: Actor = { id: 'ada', tenants: ['acme'], manages: 'all' }

type Host = { readonly port: number; close(): Promise<unknown> }

const HOSTS: { readonly [name: string]: (tokens: Latchkey) => Promise<Host> } = {
  Fastify: async (tokens) => {
    const app = Fastify({ http2: true, forceCloseConnections: true })
    await app.register(onFastify.management, { prefix: '/admin/tokens', tokens, actor: () => ADA })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
  },
  Koa: async (tokens) => {
    const app = new Koa()
    app.use(mount('/admin/tokens', onKoa.management(tokens, { actor: () => ADA })))
    const handle = app.callback()
    const server = createServer((request, response) => void handle(request as never, response as never)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return { port: (server.address() as AddressInfo).port, close: () => new Promise((resolve) => server.close(resolve)) }
  },
}

describe.each(Object.entries(HOSTS))('a page over HTTP/2 on a custom port, on %s', (_, start) => {
  it('a page over HTTP/2 on a custom port can call its own origin but not another port', async () => {
    const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
    const host = await start(tokens)
    const client = connect(`http://127.0.0.1:${host.port}`)
    const post = async (origin: string, others: { readonly ':authority'?: string; readonly host?: string } = {}): Promise<unknown> => {
      const stream = client.request({ ':method': 'POST', ':path': '/admin/tokens', 'content-type': 'application/json', origin, ...others })
      stream.end(JSON.stringify({ name: 'ERP', tenantId: 'acme', scopes: ['inventory:read'] }))
      const [headers] = await once(stream, 'response')
      stream.resume()
      return headers[':status']
    }
    try {
      expect(await post(`http://127.0.0.1:${host.port}`)).toBe(201)
      expect(await post(`http://127.0.0.1:${host.port + 1}`)).toBe(403)
      expect(await post('http://127.0.0.1')).toBe(403)
      // `:authority` overrides `Host` (RFC 9113 §8.3.1), so a sender cannot present another origin as its own.
      for (const other of [`127.0.0.1:${host.port + 1}`, 'other.example']) {
        expect(await post(`http://${other}`, { ':authority': `127.0.0.1:${host.port}`, host: other })).toBe(403)
      }
    } finally {
      client.destroy()
      await host.close()
      await tokens.close()
    }
  })
})
