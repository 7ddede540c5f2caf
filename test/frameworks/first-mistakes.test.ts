import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { latchkey } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { LatchkeyModule, RequireScopes } from 'latchkey/nest'
import { memoryStore } from 'latchkey/stores/memory'
import { testLatchkey } from 'latchkey/testing'
import * as onWeb from 'latchkey/web'
import { authenticateUpgrade, createTicket } from 'latchkey/ws'
import { afterAll, afterEach, expect, it, vi } from 'vitest'
import { served } from '../support/http/tokens.js'

const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
afterAll(() => tokens.close())
afterEach(() => void vi.restoreAllMocks())

const request = new Request('https://x/stock')
const nodeRequest = { headers: {}, rawHeaders: [], method: 'GET' }
const actor = () => undefined
const next = () => undefined

/** Makes a call that TypeScript would reject, as JavaScript code can. Returns the error, thrown or as a rejection. */
async function errorOf(made: unknown, ...args: readonly unknown[]): Promise<{ readonly code?: unknown; readonly message: string }> {
  try {
    await Reflect.apply(made as () => unknown, undefined, args)
  } catch (error) {
    return error as Error
  }
  throw new Error('the call was accepted')
}

const MIDDLEWARE = [
  ['Express', onExpress, [nodeRequest, {}, next]],
  ['Koa', onKoa, [{ headers: {}, req: nodeRequest }, next]],
  ['Hono', onHono, [{ req: { raw: request } }, next]],
] as const

it.each(MIDDLEWARE)(
  'on %s, a factory that is passed as middleware without being called fails with a hint to call it',
  async (_name, adapter, args) => {
    const uncalled = 'must be the result of latchkey(options), not a request: call '
    for (const [made, write] of [
      [adapter.authenticate, 'authenticate(tokens)'],
      [adapter.protect, 'protect(tokens, scope)'],
      [adapter.management, 'management(tokens, { actor })'],
    ] as const) {
      const message = expect.stringContaining(`${uncalled}${write} first, and use its result`)
      expect(await errorOf(made, ...args)).toMatchObject({ code: 'misconfigured', status: 500, message })
    }
    const message = expect.stringContaining("requireScopes('inventory:read') first, and use its result")
    expect(await errorOf(adapter.requireScopes, ...args)).toMatchObject({ code: 'misconfigured', status: 500, message })
  },
)

it.each(MIDDLEWARE)('on %s, wrong arguments are rejected with a hint about what to write', async (_name, adapter, [first]) => {
  const cases: readonly (readonly [unknown, readonly unknown[], string])[] = [
    [adapter.authenticate, [], 'tokens: must be the result of latchkey(options)'],
    [adapter.authenticate, [Promise.resolve(tokens)], 'not a promise: await it'],
    [adapter.authenticate, [{ tokens }], 'not an object that contains it: authenticate(tokens)'],
    [adapter.authenticate, [tokens, 'inventory:read'], "protect(tokens, 'inventory:read')"],
    [adapter.authenticate, [tokens, ['inventory:read']], "protect(tokens, 'inventory:read')"],
    [adapter.authenticate, [tokens, null], 'options: must be an object'],
    [adapter.authenticate, [tokens, Promise.resolve({})], 'options: must be an object, not a promise: await it'],
    [adapter.authenticate, [tokens, first, {}, next], 'options: must be an object of options, not a request'],
    [adapter.authenticate, [tokens, request], 'options: must be an object of options, not a request'],
    [adapter.protect, [tokens], 'at least one scope'],
    [adapter.protect, [tokens, 'inventory:read', { optional: true }], 'options belong in authenticate(tokens, { optional })'],
    [adapter.protect, [Promise.resolve(tokens), 'inventory:read'], 'not a promise: await it'],
    [adapter.management, [undefined, { actor }], 'tokens: must be the result of latchkey(options)'],
    [adapter.management, [{ tokens, actor }], 'not an object that contains it'],
    [adapter.management, [tokens], 'actor: must be a function'],
    [adapter.management, [tokens, actor], 'actor: must be passed as an option: management(tokens, { actor })'],
    [adapter.management, [tokens, { actor: { id: 'ada' } }], 'actor: must be a function'],
  ]
  for (const [made, args, says] of cases) {
    const error = await errorOf(made, ...args)
    expect([error.code, error.message]).toEqual(['invalid_input', expect.stringContaining(says)])
  }
})

it('on web requests, wrong arguments are rejected with a hint about what to write', async () => {
  const mayRead = onWeb.requireScopes('inventory:read')
  const cases: readonly (readonly [unknown, readonly unknown[], string])[] = [
    [onWeb.authenticate, [tokens], 'request: must be a standard Request: authenticate(tokens, request)'],
    [onWeb.authenticate, [tokens, Promise.resolve(request)], 'request: must be a standard Request, not a promise: await it'],
    [onWeb.authenticate, [tokens, { require: mayRead }], 'request: must be a standard Request: authenticate(tokens, request)'],
    [onWeb.authenticate, [tokens, nodeRequest], 'request: must be a standard Request, not a Node request'],
    [onWeb.authenticate, [request, tokens], 'tokens: comes before the request: authenticate(tokens, request)'],
    [onWeb.authenticate, [request], 'tokens: comes before the request: authenticate(tokens, request)'],
    [onWeb.authenticate, [undefined, request], 'tokens: must be the result of latchkey(options)'],
    [onWeb.authenticate, [Promise.resolve(tokens), request], 'not a promise: await it'],
    [onWeb.authenticate, [tokens, request, 'inventory:read'], "require: requireScopes('inventory:read')"],
    [onWeb.authenticate, [tokens, request, ['inventory:read']], "require: requireScopes('inventory:read')"],
    [onWeb.authenticate, [tokens, request, { scopes: ['inventory:read'] }], "require: requireScopes('inventory:read')"],
    [onWeb.authenticate, [tokens, request, mayRead], "require: requireScopes('inventory:read')"],
    [onWeb.authenticate, [tokens, request, { require: 'inventory:read' }], "requireScopes('inventory:read')"],
    [onWeb.authenticate, [tokens, request, { require: onWeb.requireScopes }], 'requireScopes'],
    [mayRead, [], 'request: must be the Request that authenticate() accepted'],
    [onWeb.management, [undefined, { actor, mountPath: '/x' }], 'tokens: must be the result of latchkey(options)'],
    [onWeb.management, [tokens], 'actor: must be a function'],
    [onWeb.management, [tokens, actor], 'actor: must be passed as an option'],
    [onWeb.management(tokens, { actor, mountPath: '/x' }), [], 'request: must be a standard Request'],
  ]
  for (const [made, args, says] of cases) {
    const error = await errorOf(made, ...args)
    expect([error.code, error.message]).toEqual(['invalid_input', expect.stringContaining(says)])
  }
})

it("when called as on other frameworks, Fastify's authenticate() explains that it must be registered", async () => {
  const { tokens } = testLatchkey({ scopes: { 'inventory:read': 'See stock' } })
  const says = 'app.register(authenticate, { tokens })'
  for (const args of [[tokens], [tokens, {}], [tokens, null], [tokens, { tokens }], [nodeRequest, {}, next]])
    expect((await errorOf(onFastify.authenticate, ...args)).message).toContain(says)
  for (const args of [[tokens], [tokens, null], [tokens, { actor }], [nodeRequest, {}, next]])
    expect((await errorOf(onFastify.management, ...args)).message).toContain('app.register(management, { tokens, actor, prefix })')
  for (const args of [[onFastify.authenticate, tokens], [onFastify.authenticate], [onFastify.management, tokens]]) {
    const app = fastify()
    Reflect.apply(app.register as () => unknown, app, args)
    const register = args[0] === onFastify.management ? 'app.register(management, { tokens, actor, prefix })' : says
    await expect(app.ready()).rejects.toThrow(register)
  }
  const app = fastify()
  app.register(onFastify.authenticate, { tokens: Promise.resolve(tokens) as never })
  await expect(app.ready()).rejects.toThrow('not a promise: await it')
  await tokens.close()
})

it('on Nest, the error for wrong arguments shows what to write', async () => {
  const says = 'LatchkeyModule.forRoot({ tokens })'
  expect((await errorOf(LatchkeyModule.forRoot)).message).toContain(says)
  expect((await errorOf(LatchkeyModule.forRoot, tokens)).message).toContain(says)
  const factory = expect.stringContaining('LatchkeyModule.forRootAsync({ useFactory })')
  for (const args of [[], [{ tokens }], [() => ({ tokens })]]) {
    expect(await errorOf(LatchkeyModule.forRootAsync, ...args)).toMatchObject({ code: 'invalid_input', message: factory })
  }
  class StockController {
    list(): void {}
  }
  const method = [StockController.prototype, 'list', Object.getOwnPropertyDescriptor(StockController.prototype, 'list')]
  for (const args of [method, [StockController]])
    expect((await errorOf(RequireScopes, ...args)).message).toContain("call RequireScopes('inventory:read') first, and use its result")
})

it('management() as a web handler explains how to call it', async () => {
  const message = expect.stringContaining('tokens: must be the result of latchkey(options), not a request')
  expect(await errorOf(onWeb.management, request)).toMatchObject({ code: 'misconfigured', message })
})

it("authenticateUpgrade() without the listener's request explains how to call it", async () => {
  for (const args of [[], [tokens], [nodeRequest, tokens], [tokens, request]])
    expect((await errorOf(authenticateUpgrade, ...args)).message).toContain('authenticateUpgrade(tokens, request)')
})

it('createTicket() as a route handler explains how to call it', async () => {
  const says = expect.stringContaining('not a request: call createTicket(tokens, principal) first')
  expect(await errorOf(createTicket, nodeRequest, {}, next)).toMatchObject({ code: 'misconfigured', message: says })
})

it.each([
  ['authenticate', onExpress.authenticate, onKoa.authenticate, onHono.authenticate, onFastify.authenticate],
  ['protect', onExpress.protect, onKoa.protect, onHono.protect, onFastify.protect],
  ['requireScopes', onExpress.requireScopes, onKoa.requireScopes, onHono.requireScopes, onFastify.requireScopes],
])(
  'an application that passes %s without calling it handles no request and reports why',
  async (_name, byExpress, byKoa, byHono, byFastify) => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const why = /app\.register|first, and use its result/

    const app = express().use(byExpress as never, (_req, res) => void res.send('open'))
    const [status, text] = await served(app, async (origin) => {
      const answer = await fetch(origin)
      return [answer.status, await answer.text()] as const
    })
    expect([status, text.replaceAll('&#39;', "'")]).toEqual([500, expect.stringMatching(why)])

    const errors: unknown[] = []
    const koa = new Koa().use(byKoa as never).use((ctx) => {
      ctx.body = 'open'
    })
    koa.on('error', (error) => void errors.push(error))
    await served(koa.callback(), async (origin) => expect((await fetch(origin)).status).toBe(500))
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringMatching(why) })])

    const hono = new Hono().use(byHono as never).get('/', (c) => c.text('open'))
    expect((await hono.request('/')).status).toBe(500)
    expect(String(log.mock.calls.at(-1)?.[0])).toMatch(why)

    const server = fastify()
    server.get('/', { onRequest: byFastify as never }, () => 'open')
    expect((await server.inject('/')).json()).toMatchObject({ statusCode: 500, message: expect.stringMatching(why) })
  },
)
