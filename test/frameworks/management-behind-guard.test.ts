import type { RequestListener } from 'node:http'
import express from 'express'
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
import { listen } from '../support/http/listen.js'

type Send = (path: string, init: RequestInit) => Promise<{ readonly status: number }>
type Options = { readonly actor: () => undefined } & Pick<onWeb.ManagementOptions, 'rateLimit'>

const serve = async (listener: RequestListener): Promise<Send> => {
  const origin = await listen(listener)
  return (path, init) => fetch(origin + path, init)
}

/** The management API on every framework, behind a guard of the same instance. */
const servers: { readonly [framework: string]: (tokens: Latchkey, options: Options) => Send | Promise<Send> } = {
  Express: (tokens, options) => serve(express().use('/m', onExpress.authenticate(tokens), onExpress.management(tokens, options))),
  Koa: (tokens, options) => {
    const app = new Koa()
    app.use(onKoa.authenticate(tokens)).use(mount('/m', onKoa.management(tokens, options)))
    return serve(app.callback())
  },
  Fastify: async (tokens, options) => {
    const app = fastify({ forceCloseConnections: true })
    onTestFinished(() => app.close())
    await app.register(onFastify.authenticate, { tokens })
    await app.register(onFastify.management, { prefix: '/m', tokens, ...options })
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    return (path, init) => fetch(origin + path, init)
  },
  Hono: (tokens, options) => {
    const app = new Hono()
    app.use('/m/*', onHono.authenticate(tokens))
    app.route('/m', onHono.management(tokens, options))
    return async (path, init) => app.request(path, init)
  },
  'web requests': (tokens, options) => {
    const manage = onWeb.management(tokens, { mountPath: '/m', ...options })
    return async (path, init) => {
      const request = new Request(`http://127.0.0.1${path}`, init)
      return (await onWeb.authenticate(tokens, request)).response ?? (await manage(request))
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
    const send = await start(tokens as unknown as Latchkey, { actor: () => undefined, rateLimit })
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
    return { create, call, counts, fail, own }
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
