import type { RequestListener } from 'node:http'
import express, { type RequestHandler } from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import mount from 'koa-mount'
import { type Latchkey, latchkey } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import * as onWeb from 'latchkey/web'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it, onTestFinished } from 'vitest'
import { pause } from '../../src/testing/pause.js'
import { listen } from '../support/http/listen.js'

type Send = (path: string, init: RequestInit) => Promise<{ readonly status: number }>
type Options = { readonly actor: () => undefined } & Pick<onWeb.ManagementOptions, 'rateLimit'>
/** What the host does between the guard and the API. */
type Between = () => Promise<void>

const serve = async (listener: RequestListener): Promise<Send> => {
  const origin = await listen(listener)
  return (path, init) => fetch(origin + path, init)
}

const onwards =
  (between: Between): RequestHandler =>
  (_req, _res, next) =>
    void between().then(next)

/** The management API on every framework, behind a guard of the same instance. */
const servers: { readonly [framework: string]: (tokens: Latchkey, options: Options, between: Between) => Send | Promise<Send> } = {
  Express: (tokens, options, between) =>
    serve(express().use('/m', onExpress.authenticate(tokens), onwards(between), onExpress.management(tokens, options))),
  'Express with a body parser': (tokens, options, between) =>
    serve(express().use('/m', onExpress.authenticate(tokens), onwards(between), express.json(), onExpress.management(tokens, options))),
  Koa: (tokens, options, between) => {
    const app = new Koa()
    app
      .use(onKoa.authenticate(tokens))
      .use((_ctx, next) => between().then(next))
      .use(mount('/m', onKoa.management(tokens, options)))
    return serve(app.callback())
  },
  Fastify: async (tokens, options, between) => {
    const app = fastify({ forceCloseConnections: true })
    onTestFinished(() => app.close())
    await app.register(onFastify.authenticate, { tokens })
    app.addHook('preValidation', between)
    await app.register(onFastify.management, { prefix: '/m', tokens, ...options })
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    return (path, init) => fetch(origin + path, init)
  },
  Hono: (tokens, options, between) => {
    const app = new Hono()
    app.use('/m/*', onHono.authenticate(tokens), (_c, next) => between().then(next))
    app.route('/m', onHono.management(tokens, options))
    return async (path, init) => app.request(path, init)
  },
  'web requests': (tokens, options, between) => {
    const manage = onWeb.management(tokens, { mountPath: '/m', ...options })
    return async (path, init) => {
      const request = new Request(`http://127.0.0.1${path}`, init)
      const { response } = await onWeb.authenticate(tokens, request)
      if (response !== undefined) return response
      await between()
      return manage(request)
    }
  },
}

const limiter = (points: number) => new RateLimiterMemory({ points, duration: 60 })

describe.each(Object.entries(servers))('%s: a token holder who calls the management API behind a guard', (name, start) => {
  async function open(managementPoints: number) {
    const own = limiter(50)
    let isDown = false
    const store = faultyStore(memoryStore(), ({ method }) =>
      isDown && method === 'commit' ? { do: 'fail', error: new Error('down') } : undefined,
    )
    const tokens: Latchkey<'a:read' | 'tokens:rotate-self'> = latchkey({
      prefix: 'acme_live',
      store,
      scopes: { 'a:read': 'Read', 'tokens:rotate-self': 'Rotate itself' },
      logger: false,
      rateLimit: { limits: [{ name: 'token', by: 'token', limiter: own }], onFailure: 'refuse' },
    })
    onTestFinished(() => tokens.close())
    const rateLimit = { limits: [{ name: 'calls', limiter: limiter(managementPoints) }], onFailure: 'refuse' } as const
    let meanwhile: Between = async () => undefined
    const send = await start(tokens as unknown as Latchkey, { actor: () => undefined, rateLimit }, () => meanwhile())
    const create = (...scopes: ('a:read' | 'tokens:rotate-self')[]) => tokens.system.create({ name: 'made', scopes })
    const call = async (token: string, method: string, path: string, headers: Record<string, string> = {}): Promise<number> => {
      const json = method === 'POST' && { 'content-type': 'application/json' }
      const init = { method, headers: { authorization: `Bearer ${token}`, ...json, ...headers } }
      return (await send(`/m${path}`, method === 'POST' ? { ...init, body: '{}' } : init)).status
    }
    /** Uses that count against the token's own limit, followed by the allowed uses and the refusals that `usage` reports. */
    const counts = async (id: string) => {
      await tokens.flush()
      const { total, outcomes } = await tokens.system.usage(id)
      const points = (await own.get(`token:acme_live:${id}`))?.consumedPoints ?? 0
      return [points, total, ...outcomes.flatMap(({ outcome, count }) => (outcome === 'allowed' ? [] : [`${count} ${outcome}`]))]
    }
    const fail = (): void => {
      isDown = true
    }
    /** Makes the host do this between the guard and the API, for every later request. */
    const setMeanwhile = (between: () => Promise<unknown>): void => {
      meanwhile = async () => void (await between())
    }
    return { tokens, create, call, counts, fail, own, setMeanwhile }
  }
  /** On web requests, the guard has already counted the use as allowed. */
  const isCounted = name === 'web requests'

  it("a call beyond the API's own limit is counted as refused and leaves the token's limit alone", async () => {
    const { create, call, counts } = await open(2)
    const { token, record } = await create('a:read')
    const statuses: number[] = []
    for (let at = 0; at < 4; at += 1) statuses.push(await call(token, 'GET', '/self'))
    expect(statuses).toEqual([200, 200, 429, 429])
    expect(await counts(record.id)).toEqual(isCounted ? [2, 4] : [2, 2, '2 rate_limited'])
  })

  it('a call without the required scope is counted as refused', async () => {
    const { create, call, counts, own } = await open(50)
    const { token, record } = await create('a:read')
    expect(await call(token, 'POST', '/self/rotate')).toBe(403)
    expect(await counts(record.id)).toEqual(isCounted ? [0, 1] : [0, 0, '1 scope_insufficient'])
    expect((await own.get(`token:acme_live:${record.id}:refused`))?.consumedPoints).toBe(1)
  })

  it.each([
    ['only people may make', 'GET', '/scopes', {}, 403],
    ['to a path that does not exist', 'GET', '/a/b/c', {}, 403],
    ['that comes from another site', 'POST', '/self/rotate', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 403],
  ] as const)('a call %s is not counted', async (_what, method, path, headers, status) => {
    const { create, call, counts } = await open(50)
    const { token, record } = await create('tokens:rotate-self')
    expect(await call(token, method, path, headers)).toBe(status)
    expect(await counts(record.id)).toEqual([0, isCounted ? 1 : 0])
  })

  it.each([
    ['was revoked', 401, (tokens, id) => tokens.system.revoke(id, {})],
    ['was deactivated', 401, (tokens, id) => tokens.system.deactivate(id)],
    ['may no longer rotate itself', 403, (tokens, id) => tokens.system.update(id, { scopes: ['a:read'] })],
    ['may be used only from other addresses', 403, (tokens, id) => tokens.system.update(id, { allowedIps: ['192.0.2.1'] })],
    ['was renamed', 201, (tokens, id) => tokens.system.update(id, { name: 'New' })],
  ] satisfies readonly (readonly [string, number, (tokens: Latchkey<'a:read'>, id: string) => Promise<unknown>])[])(
    'a token that %s after the guard admitted it gets %i for its rotation',
    async (_what, status, change) => {
      const { tokens, create, call, setMeanwhile } = await open(50)
      const { token, record } = await create('a:read', 'tokens:rotate-self')
      setMeanwhile(() => change(tokens, record.id))
      expect(await call(token, 'POST', '/self/rotate')).toBe(status)
      expect((await tokens.system.list({ limit: 10 })).items).toHaveLength(status === 201 ? 2 : 1)
    },
  )

  it('a call that ends without a decision is not counted', async () => {
    const { create, call, counts, fail } = await open(50)
    const { token, record } = await create('tokens:rotate-self')
    fail()
    expect(await call(token, 'POST', '/self/rotate')).toBe(503)
    expect(await counts(record.id)).toEqual([0, isCounted ? 1 : 0])
  })
})

it('a use is refunded if the management API behind a guard cannot determine the address of the caller', async () => {
  const own = limiter(50)
  const tokens: Latchkey = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'a:read': 'Read' },
    logger: false,
    rateLimit: { limits: [{ name: 'token', by: 'token', limiter: own }], onFailure: 'refuse' },
  })
  onTestFinished(() => tokens.close())
  const { token, record } = await tokens.system.create({ name: 'made', scopes: ['a:read'] })
  const ip = (): never => {
    throw new Error('no address')
  }
  const app = new Hono()
  app.use('/m/*', onHono.authenticate(tokens))
  app.route('/m', onHono.management(tokens, { actor: () => undefined, ip }))
  expect((await app.request('/m/self', { headers: { authorization: `Bearer ${token}` } })).status).toBe(503)
  await tokens.flush()
  expect((await own.get(`token:acme_live:${record.id}`))?.consumedPoints).toBe(0)
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0, refused: 0 })
})

it.each(['prompt', 'late'])('a token limited to an address that only the guard knows can rotate itself with a %s body', async (when) => {
  const tokens: Latchkey<'tokens:rotate-self'> = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'tokens:rotate-self': 'Rotate itself' },
    logger: false,
  })
  onTestFinished(() => tokens.close())
  const { token } = await tokens.system.create({ name: 'made', scopes: ['tokens:rotate-self'], allowedIps: ['192.0.2.1'] })
  const app = new Hono()
  app.use('/m/*', onHono.authenticate(tokens, { ip: () => '192.0.2.1' }))
  app.route('/m', onHono.management(tokens as unknown as Latchkey, { actor: () => undefined }))
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      if (when === 'late') await pause(1_100)
      controller.enqueue(new TextEncoder().encode('{}'))
      controller.close()
    },
  })
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit
  expect((await app.request('/m/self/rotate', init)).status).toBe(201)
})
