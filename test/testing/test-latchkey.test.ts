import { createServer, request as httpRequest, IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { InvalidInputError, latchkey } from 'latchkey'
import { authenticate, requireScopes } from 'latchkey/express'
import { requireScopes as requireScopesOnFastify } from 'latchkey/fastify'
import { requireScopes as requireScopesOnKoa } from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, testLatchkey } from 'latchkey/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'

const scopes = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }

/** Runs an Express middleware alone, as a unit test does. Returns `'next'` or the status of the response. */
const runAlone = (middleware: ReturnType<typeof requireScopes>, req: object): Promise<unknown> =>
  new Promise((resolve) => {
    const res = { statusCode: 200, setHeader: () => undefined, end: () => resolve(res.statusCode) }
    middleware(req as never, res as never, () => resolve('next'))
  })

describe('tokenFor', () => {
  it('tokenFor() creates a token with the requested scopes, or with none', async () => {
    const { tokens, tokenFor } = testLatchkey({ scopes })
    const answer = await tokens.verify(await tokenFor({ scopes: ['inventory:read'], tenantId: 'acme' }))
    expect(answer).toMatchObject({ ok: true, principal: { scopes: ['inventory:read'], tenantId: 'acme' } })
    expect(await tokens.verify(await tokenFor())).toMatchObject({ ok: true, principal: { scopes: [] } })
  })

  it.each([
    ['expired', 'token_expired'],
    ['revoked', 'token_revoked'],
    ['inactive', 'token_inactive'],
    ['pending', 'token_not_yet_valid'],
  ] as const)('tokenFor() creates a token that is %s and therefore refused', async (status, code) => {
    const { tokens, tokenFor } = testLatchkey({ scopes })
    const token = await tokenFor({ scopes: ['inventory:read'], status })
    expect(await tokens.verify(token)).toEqual({ ok: false, code })
    expect((await tokens.system.list({ status })).items).toHaveLength(1)
  })

  it.each(['expired', 'pending', 'active'] as const)(
    'tokenFor() creates %s tokens with the pepper, the limits and the clock of the application',
    async (status) => {
      const clock = () => Date.UTC(2031, 0, 1)
      const pepper = 'r3wkV0mS5bqXoP9aTzYc1LhEfGdU7iNj'
      const { tokens, tokenFor } = testLatchkey({ scopes, clock, pepper, expiry: { default: '15m', max: '15m', required: true } })
      await tokenFor({ status })
      expect((await tokens.system.list({ status })).items).toHaveLength(1)
    },
  )

  it('testLatchkey() accepts the catalogue of the application’s own instance', async () => {
    const own = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes })
    const { tokenFor, tokens } = testLatchkey({ scopes: own.catalogue })
    const token = await tokenFor({ scopes: ['inventory:write'] })
    expect((await tokens.verify(token)).ok).toBe(true)
    expect((await own.verify(token)).ok).toBe(false)
  })

  it('testLatchkey() applies the permissions of an owner callback', async () => {
    const { tokens, tokenFor } = testLatchkey({
      scopes,
      owner: ({ ownerId }) => (ownerId === 'ann' ? { scopes: ['inventory:read'] } : null),
    })
    expect(await tokens.verify(await tokenFor({ ownerId: 'ann', inherit: true }))).toMatchObject({
      ok: true,
      principal: { scopes: ['inventory:read'] },
    })
  })

  it('testLatchkey() simulates an outage with faultyStore()', async () => {
    const store = faultyStore(memoryStore())
    const { tokens, tokenFor } = testLatchkey({ scopes, store, cache: false })
    const token = await tokenFor()
    store.behave(() => ({ do: 'fail', error: new Error('down') }))
    await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it.each([
    ['a status that does not exist', { status: 'ended' }, /status: must be one of revoked, inactive, pending, expired, active/],
    ['a time that contradicts the status', { status: 'expired', expiresIn: '1d' }, /expiresIn: contradicts status: 'expired'/],
    ['an idempotency key', { idempotencyKey: 'k' }, /idempotencyKey: is not available for test tokens/],
    ['a misspelled field', { scope: ['inventory:read'] }, /scope: unknown field; did you mean "scopes"\?/],
    ['a scope that is not in the catalogue', { scopes: ['inventory:delete'] }, /scopes/],
  ])('tokenFor() rejects %s', async (_name, input, message) => {
    await expect(testLatchkey({ scopes }).tokenFor(input as never)).rejects.toThrow(message)
  })

  it.each([undefined, null, 'inventory:read'])('testLatchkey(%j) reports that it requires options', (options) => {
    expect(() => testLatchkey(options as never)).toThrow(
      expect.objectContaining({ code: 'invalid_input', message: 'testLatchkey(): must be an object with the scopes option' }),
    )
  })

  it('testLatchkey() rejects unknown options', () => {
    expect(() => testLatchkey({ scopes, scope: {} } as never)).toThrow(InvalidInputError)
  })
})

describe('attachPrincipal', () => {
  it('attachPrincipal() lets a handmade request pass requireScopes within its scopes', async () => {
    const { attachPrincipal } = testLatchkey({ scopes })
    const req: { principal?: unknown; params: object } = { params: { id: 'w1' } }
    const principal = await attachPrincipal(req, { scopes: ['inventory:read'], resources: { warehouse: ['w1'] } })
    expect(req.principal).toBe(principal)
    expect(await runAlone(requireScopes('inventory:read', { warehouse: 'w1' }), req)).toBe('next')
    expect(await runAlone(requireScopes('inventory:read', { warehouse: 'w2' }), req)).toBe(403)
    expect(await runAlone(requireScopes('inventory:write'), req)).toBe(403)
  })

  it('attachPrincipal() works with handmade Koa and Fastify requests', async () => {
    const { attachPrincipal } = testLatchkey({ scopes })
    const ctx = { state: {} as { principal?: { name: string } }, set: vi.fn() }
    await attachPrincipal(ctx, { name: 'ERP', scopes: ['inventory:read'] })
    const next = vi.fn()
    await requireScopesOnKoa('inventory:read')(ctx as never, next)
    expect([ctx.state.principal?.name, next.mock.calls.length]).toEqual(['ERP', 1])
    const request = {}
    await attachPrincipal(request, { scopes: ['inventory:read'] })
    const done = vi.fn()
    Reflect.apply(requireScopesOnFastify('inventory:read'), undefined, [request, {}, done])
    expect(done.mock.calls).toEqual([[]])
  })

  it('attachPrincipal() replaces the principal of the same request without a warning', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const { attachPrincipal } = testLatchkey({ scopes })
    const req = {}
    await attachPrincipal(req, { scopes: ['inventory:read'] })
    await attachPrincipal(req, { scopes: ['inventory:write'] })
    expect(await runAlone(requireScopes('inventory:read'), req)).toBe(403)
    expect(warned).not.toHaveBeenCalled()
    warned.mockRestore()
  })

  it('the principal from attachPrincipal() ends when its token is revoked', async () => {
    const { tokens, attachPrincipal } = testLatchkey({ scopes })
    const principal = await attachPrincipal({}, { scopes: ['inventory:read'] })
    const { signal } = principal
    await tokens.system.revokeAll({ all: true })
    await expect.poll(() => signal.aborted).toBe(true)
  })

  it('attachPrincipal() reports why a refused token yields no principal', async () => {
    const { attachPrincipal } = testLatchkey({ scopes, owner: () => null })
    await expect(attachPrincipal({}, { ownerId: 'ann', scopes: ['inventory:read'] })).rejects.toThrow(/owner_denied/)
  })

  it('an attached principal is discarded when a guard handles the request', async () => {
    const { tokens, attachPrincipal } = testLatchkey({ scopes })
    const req = { method: 'GET', rawHeaders: [], app: { get: () => undefined } }
    await attachPrincipal(req, { scopes: ['inventory:read'] })
    expect(await runAlone(authenticate(tokens), req)).toBe(401)
    expect(await runAlone(requireScopes('inventory:read'), req)).toBe(500)
  })
})

describe('attachPrincipal in production', () => {
  const closing: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })
  const { attachPrincipal } = testLatchkey({ scopes })
  const refused = (request: object): Promise<unknown> =>
    attachPrincipal(request, { scopes: ['inventory:read'] }).then(
      () => 'attached',
      (error) => (error instanceof InvalidInputError ? error.field : error),
    )
  const get = (port: number, path = '/'): Promise<string> =>
    new Promise((resolve, reject) => {
      const call = httpRequest({ port, path, agent: false }, async (answer) =>
        resolve((await answer.setEncoding('utf8').toArray()).join('')),
      )
      call.on('error', reject).end()
    })

  it('attachPrincipal() rejects requests from a Node server and from Express', async () => {
    const app = express()
    app.get('/express', async (req, res) => void res.send(String(await refused(req))))
    const server = createServer((req, res) => {
      if (req.url !== '/node') return app(req, res)
      void refused(req).then((field) => res.end(String(field)))
    }).listen(0)
    closing.push(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    expect([await get(port, '/node'), await get(port, '/express')]).toEqual(['request', 'request'])
  })

  it('attachPrincipal() rejects requests from a Fastify server and wrappers of server requests', async () => {
    const app = Fastify()
    closing.push(() => app.close())
    app.get('/', async (request) => `${await refused(request)} ${await refused({ req: request.raw, state: {} })}`)
    await app.listen({ port: 0 })
    expect(await get((app.server.address() as AddressInfo).port)).toBe('request request')
  })

  it('attachPrincipal() rejects web requests and Hono contexts', async () => {
    expect(await refused(new Request('http://host.test/'))).toBe('request')
    const app = new Hono().get('/', async (c) => c.text(String(await refused(c))))
    expect(await (await app.request('/')).text()).toBe('request')
  })

  it('attachPrincipal() rejects values that are not objects, and accepts a message without a connection', async () => {
    expect(await refused(undefined as never)).toBe('request')
    expect(await refused(new IncomingMessage(null as never))).toBe('attached')
  })
})
