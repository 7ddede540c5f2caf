import 'reflect-metadata'
import { Test } from '@nestjs/testing'
import fastify from 'fastify'
import { Hono } from 'hono'
import type { Actor } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { LatchkeyModule } from 'latchkey/nest'
import { introspection } from 'latchkey/oauth'
import { authenticate, management, requireScopes } from 'latchkey/web'
import { describe, expect, it, onTestFinished } from 'vitest'
import { instance, mint } from '../latchkey/harness.js'
import { handshake, serveSockets } from '../support/ws/server.js'

const everything = (): Actor => ({ id: 'mallory', tenants: '*', manages: 'all' })

function pollute(name: string, value: unknown): void {
  Object.defineProperty(Object.prototype, name, { value, configurable: true, enumerable: false, writable: true })
  onTestFinished(() => void Reflect.deleteProperty(Object.prototype, name))
}

describe('options that are read while Object.prototype is polluted', () => {
  it.each([{}, { realm: 'stock' }])('a polluted `optional` does not admit a request without a token (options: %o)', async (options) => {
    const tokens = instance()
    pollute('optional', true)
    expect((await authenticate(tokens, new Request('https://api.example/'), options)).response?.status).toBe(401)
  })

  it('a polluted `session` does not authenticate a request', async () => {
    const tokens = instance()
    pollute('session', () => ({ id: 'ann', scopes: '*' }))
    expect((await authenticate(tokens, new Request('https://api.example/'), { realm: 'stock' })).response?.status).toBe(401)
  })

  it('options inherited from a class of the host apply', async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { scopes: ['stock:read'] })
    class Protection {
      get require(): ReturnType<typeof requireScopes> {
        return requireScopes('stock:write')
      }
    }
    const request = new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })
    expect((await authenticate(tokens, request, new Protection())).response?.status).toBe(403)
  })

  it("a polluted `ip` is not used as the client's address", async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { allowedIps: ['192.0.2.7'] })
    pollute('ip', '192.0.2.7')
    const request = new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })
    expect((await authenticate(tokens, request, {})).response?.status).toBe(403)
  })

  it('a polluted `ip` does not determine the address of a WebSocket client', async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { allowedIps: ['192.0.2.7'] })
    const { port, close } = await serveSockets(tokens)
    onTestFinished(close)
    pollute('ip', () => '192.0.2.7')
    const { status, socket } = await handshake(port, [`Authorization: Bearer ${token}`])
    socket.destroy()
    expect(status).toBe(403)
  })

  it('polluted `scopes` and `endpoint` do not change what a WebSocket requires', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const { port, close } = await serveSockets(tokens)
    onTestFinished(close)
    pollute('endpoint', 'GET /polluted')
    pollute('scopes', 'billing:read')
    const { status, socket } = await handshake(port, [`Authorization: Bearer ${token}`])
    socket.destroy()
    expect(status).toBe(101)
    await tokens.flush()
    Reflect.deleteProperty(Object.prototype, 'endpoint')
    const { buckets } = await tokens.system.usage(record.id)
    expect(buckets.map(({ endpoint }) => endpoint)).toEqual(['upgrade'])
  })

  it('a polluted `ip` does not determine the address of a client on Hono', async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { allowedIps: ['192.0.2.7'] })
    pollute('ip', () => '192.0.2.7')
    const app = new Hono().get('/', onHono.authenticate(tokens), (c) => c.text('in'))
    expect((await app.request('/', { headers: { authorization: `Bearer ${token}` } })).status).toBe(403)
  })

  it.each([
    ['latchkey/web', () => management(instance(), { mountPath: '/tokens' } as never)],
    ['latchkey/hono', () => onHono.management(instance(), {} as never)],
    ['latchkey/express', () => onExpress.management(instance(), {} as never)],
    ['latchkey/koa', () => onKoa.management(instance(), {} as never)],
    [
      'latchkey/fastify',
      () =>
        fastify()
          .register(onFastify.management, { tokens: instance(), prefix: '/tokens' } as never)
          .ready(),
    ],
  ])('a polluted `actor` does not sign anyone in to the management API of %s', async (_, create) => {
    pollute('actor', everything)
    await expect((async () => create())()).rejects.toMatchObject({ code: 'invalid_input', field: 'actor' })
  })

  it('a polluted `management` serves no management API under Nest', async () => {
    pollute('management', { path: '/tokens', actor: everything })
    const module = await Test.createTestingModule({ imports: [LatchkeyModule.forRoot({ tokens: instance() })] }).compile()
    const app = module.createNestApplication({ logger: false, forceCloseConnections: true })
    onTestFinished(() => app.close())
    await app.listen(0, '127.0.0.1')
    expect((await fetch(`${await app.getUrl()}/tokens`)).status).toBe(404)
  })

  it('a polluted `ip` is not written to the audit log by latchkey/web', async () => {
    const tokens = instance()
    pollute('ip', () => '192.0.2.7')
    const api = management(tokens, { mountPath: '/tokens', actor: everything })
    const body = JSON.stringify({ name: 'ERP', scopes: ['stock:read'] })
    const headers = { 'content-type': 'application/json', origin: 'https://api.example' }
    expect((await api(new Request('https://api.example/tokens', { method: 'POST', headers, body }))).status).toBe(201)
    Reflect.deleteProperty(Object.prototype, 'ip')
    const { items } = await tokens.system.events()
    expect(items.map(({ action, ip }) => [action, ip])).toEqual([['token.created', undefined]])
  })

  it('polluted `tenants` do not give an OAuth client access to every tenant', async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { tenantId: 'acme' })
    pollute('tenants', '*')
    const body = new URLSearchParams({ token })
    const ask = introspection(tokens, { client: () => ({ id: 'gateway' }) as never })
    expect((await ask(new Request('https://api.example/', { method: 'POST', body }))).status).toBe(401)
  })
})
