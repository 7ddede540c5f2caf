import type { RequestListener } from 'node:http'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { type Authenticator, type Latchkey, latchkey } from 'latchkey'
import { authenticate as onExpress } from 'latchkey/express'
import { authenticate as onFastify } from 'latchkey/fastify'
import { authenticate as onHono } from 'latchkey/hono'
import { accept } from 'latchkey/jwt'
import { authenticate as onKoa } from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate as onWeb, requireScopes } from 'latchkey/web'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { expect, it, onTestFinished } from 'vitest'
import { warm } from '../latchkey/harness.js'
import { listen } from '../support/http/listen.js'

type Send = (headers: Record<string, string>) => Promise<{ readonly status: number }>

const quiet = { onWarning: () => undefined }
/** The second guard also reads a field that the first guard ignores, so a request can pass the first and be refused by the second. */
const strict = { ...quiet, credential: ['bearer', { header: 'x-api-key' }] } as const

const serve = async (listener: RequestListener): Promise<Send> => {
  const origin = await listen(listener)
  return (headers) => fetch(`${origin}/api`, { headers })
}

const servers: { readonly [framework: string]: (tokens: Latchkey) => Send | Promise<Send> } = {
  Express: (tokens) => {
    const app = express()
    app.use(onExpress(tokens, { ...quiet, optional: true }))
    app.use('/api', onExpress(tokens, strict), (_req, res) => void res.json({}))
    return serve(app)
  },
  Koa: (tokens) => {
    const app = new Koa()
    app.use(onKoa(tokens, { ...quiet, optional: true }))
    app.use(onKoa(tokens, strict))
    app.use((ctx) => {
      ctx.body = {}
    })
    return serve(app.callback())
  },
  Fastify: async (tokens) => {
    const app = fastify()
    await app.register(onFastify, { tokens, ...quiet, optional: true })
    await app.register(async (inner) => {
      await inner.register(onFastify, { tokens, ...strict })
      inner.get('/api', async () => ({}))
    })
    onTestFinished(() => app.close())
    return async (headers) => ({ status: (await app.inject({ url: '/api', headers })).statusCode })
  },
  Hono: (tokens) => {
    const app = new Hono()
    app.use(onHono(tokens, { ...quiet, optional: true }))
    app.get('/api', onHono(tokens, strict), (c) => c.json({}))
    return async (headers) => app.request('/api', { headers })
  },
  'web requests': (tokens) => async (headers) => {
    const request = new Request('http://127.0.0.1/api', { headers })
    const first = await onWeb(tokens, request, { ...quiet, optional: true })
    const second = first.response === undefined ? await onWeb(tokens, request, strict) : first
    return second.response ?? new Response()
  },
}

const limited = (): Latchkey => {
  const tokens: Latchkey = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'a:read': 'Read', 'a:write': 'Write' },
    rateLimit: {
      limits: [{ name: 'token', by: 'token', limiter: new RateLimiterMemory({ points: 3, duration: 60 }) }],
      onFailure: 'refuse',
    },
  })
  onTestFinished(() => tokens.close())
  return tokens
}

it.each(Object.entries(servers))('%s: a request that passes two guards counts once', async (_name, start) => {
  const tokens = limited()
  const { token } = await tokens.system.create({ name: 'made', scopes: ['a:read'] })
  const send = await start(tokens)
  const statuses: number[] = []
  for (let request = 0; request < 5; request += 1) statuses.push((await send({ authorization: `Bearer ${token}` })).status)
  expect(statuses).toEqual([200, 200, 200, 429, 429])
})

it.each(Object.entries(servers))('%s: a request that a second guard refuses uses up no limit', async (name, start) => {
  const tokens = limited()
  const { token, record } = await tokens.system.create({ name: 'made', scopes: ['a:read'] })
  const send = await start(tokens)
  const statuses: number[] = []
  for (let request = 0; request < 4; request += 1) {
    statuses.push((await send({ authorization: `Bearer ${token}`, 'x-api-key': token })).status)
  }
  for (let request = 0; request < 4; request += 1) statuses.push((await send({ authorization: `Bearer ${token}` })).status)
  expect(statuses).toEqual([400, 400, 400, 400, 200, 200, 200, 429])
  await tokens.flush()
  // On web requests, a use is counted as soon as `authenticate` has admitted it.
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: name === 'web requests' ? 7 : 3, refused: 1 })
})

it.each([
  ['accept() in the first guard', (tokens: Latchkey) => [accept(tokens), tokens] as const],
  ['accept() in the second guard', (tokens: Latchkey) => [tokens, accept(tokens)] as const],
  ['accept() in both guards', (tokens: Latchkey) => [accept(tokens), accept(accept(tokens))] as const],
] as const)('a request that passes two guards counts once with %s', async (_name, guards) => {
  const tokens = limited()
  const { token, record } = await tokens.system.create({ name: 'made', scopes: ['a:read'] })
  const app = new Hono()
  const [first, second] = guards(tokens)
  const codes: string[] = []
  app.use(onHono(first, { ...quiet, optional: true }), onHono(second, quiet))
  app.use(onHono(second, { onWarning: ({ code }) => codes.push(code) }))
  app.get('/api', (c) => c.json({}))
  const statuses: number[] = []
  for (let request = 0; request < 4; request += 1) {
    statuses.push((await app.request('/api', { headers: { authorization: `Bearer ${token}` } })).status)
  }
  expect(statuses).toEqual([200, 200, 200, 429])
  await tokens.flush()
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: 3, refused: 1 })
  expect(codes).toContain('LATCHKEY_W001')
})

it('a part of a web request that is admitted after another part was refused counts against the limit', async () => {
  const tokens: Latchkey = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'a:read': 'Read' },
    // Decisions wait for the owner, so they overlap.
    owner: async () => ({ scopes: ['a:read'] }),
    rateLimit: {
      limits: [{ name: 'token', by: 'token', limiter: new RateLimiterMemory({ points: 3, duration: 60 }) }],
      onFailure: 'refuse',
    },
  })
  onTestFinished(() => tokens.close())
  const { token, record } = await tokens.system.create({ name: 'made', scopes: ['a:read'], ownerId: 'ada' })
  const statuses: string[] = []
  for (let at = 0; at < 5; at += 1) {
    const request = new Request('http://127.0.0.1/api', { headers: { authorization: `Bearer ${token}`, 'x-api-key': token } })
    const first = await onWeb(tokens, request, quiet)
    const late = onWeb(tokens, request, quiet)
    const refused = await onWeb(tokens, request, strict)
    const parts = [first, refused, await late]
    statuses.push(parts.map(({ response }) => response?.status ?? 200).join())
  }
  expect(statuses).toEqual(['200,400,200', '200,400,200', '200,400,200', '429,400,429', '429,400,429'])
  await tokens.flush()
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: 3 })
})

it('a web request that one call admitted stays refused once another call has refused it', async () => {
  const tokens: Latchkey = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'a:read': 'Read' } })
  onTestFinished(() => tokens.close())
  const other: Latchkey = latchkey({ prefix: 'beta_live', store: memoryStore(), scopes: { 'a:read': 'Read' } })
  onTestFinished(() => other.close())
  const { token } = await tokens.system.create({ name: 'made', scopes: ['a:read'] })
  await warm(tokens, token)
  const request = new Request('http://127.0.0.1/api', { headers: { authorization: `Bearer ${token}` } })
  const calls = [onWeb(tokens, request, quiet), onWeb(other, request, quiet)]
  expect((await Promise.all(calls)).map(({ response }) => response?.status ?? 200)).toEqual([200, 401])
  expect((await requireScopes('a:read')(request))?.status).toBe(500)
})

it('resource lookups have as much time after a guard that waited for another guard as after a guard that did not wait', async () => {
  const tokens: Latchkey = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'a:read': 'Read' },
    deadline: '1s',
    owner: () => new Promise((resolve) => setTimeout(() => resolve({ scopes: ['a:read'] }), 600)),
  })
  onTestFinished(() => tokens.close())
  const { token } = await tokens.system.create({ name: 'made', scopes: ['a:read'], ownerId: 'ada', resources: { w: ['1'] } })
  const require = requireScopes('a:read', { w: async () => '1' })
  const request = new Request('http://127.0.0.1/api', { headers: { authorization: `Bearer ${token}` } })
  const parts = await Promise.all([onWeb(tokens, request, quiet), onWeb(accept(tokens), request, { ...quiet, require })])
  expect(parts.map(({ response }) => response?.status ?? 200)).toEqual([200, 200])
})

const [read, write] = [requireScopes('a:read'), requireScopes('a:write')]
const sendOf = (tokens: Latchkey, require: typeof read, request: Request): Promise<number> =>
  onWeb(tokens, request, { ...quiet, require }).then(({ response }) => response?.status ?? 200)

it('a request that one guard refused and a second guard then admitted uses up the limit', async () => {
  const tokens = limited()
  const { token, record } = await tokens.system.create({ name: 'made', scopes: ['a:read'] })
  const statuses: number[] = []
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const request = new Request('http://127.0.0.1/api', { headers: { authorization: `Bearer ${token}` } })
    await sendOf(tokens, write, request)
    statuses.push(await sendOf(tokens, read, request))
  }
  expect(statuses).toEqual([200, 200, 200, 429, 429])
  await tokens.flush()
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: 3 })
})

it('a request that two guards check at the same time counts once', async () => {
  const tokens = limited()
  const { token, record } = await tokens.system.create({ name: 'made', scopes: ['a:read'] })
  const statuses: number[][] = []
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const request = new Request('http://127.0.0.1/api', { headers: { authorization: `Bearer ${token}` } })
    statuses.push(await Promise.all([sendOf(tokens, read, request), sendOf(tokens, read, request)]))
  }
  expect(statuses).toEqual([
    [200, 200],
    [200, 200],
    [200, 200],
    [429, 429],
  ])
  await tokens.flush()
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: 3 })
})

it.each<[string, (tokens: Latchkey) => readonly Authenticator[]]>([
  ['the instance and accept()', (tokens) => [tokens, accept(tokens)]],
  ['two results of accept() and the instance', (tokens) => [accept(tokens), accept(tokens), tokens]],
  ['another instance first', (tokens) => [limited(), tokens, tokens]],
])('a request that guards of one instance check at the same time counts once: %s', async (_how, guardsOf) => {
  const tokens = limited()
  const guards = guardsOf(tokens)
  const { token, record } = await tokens.system.create({ name: 'made', scopes: ['a:read'] })
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const request = new Request('http://127.0.0.1/api', { headers: { authorization: `Bearer ${token}` } })
    const outcomes = await Promise.all(guards.map((each) => onWeb(each, request, quiet)))
    expect(outcomes.filter(({ principal }) => principal?.tokenId === record.id).length).toBeGreaterThanOrEqual(2)
  }
  await tokens.flush()
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: 3, refused: 0 })
  const request = new Request('http://127.0.0.1/api', { headers: { authorization: `Bearer ${token}` } })
  expect((await onWeb(tokens, request, quiet)).response?.status).toBe(429)
})
