import { createServer, type RequestListener } from 'node:http'
import express, { type Express } from 'express'
import express4 from 'express4'
import Fastify from 'fastify'
import { latchkey } from 'latchkey'
import { authenticate, management } from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import { memoryStore } from 'latchkey/stores/memory'
import { afterEach, describe, expect, it } from 'vitest'
import { mountPattern } from '../../adapters/frameworks/node/mount-pattern.js'

const ADMIN = { id: 'r', tenants: '*', manages: 'all' } as const
const running: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of running.splice(0)) await stop()
})

function instance() {
  const faults: string[] = []
  const onError = ({ where }: { where: string }) => void faults.push(where)
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'a:b': 'x' }, logger: false, onError })
  running.push(() => tokens.close())
  return { tokens, faults }
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  running.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

/** The fields of every response of the management API to a page of this origin. */
const ORIGIN = 'https://admin.example'
const FINISHED = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  vary: 'Origin',
  'access-control-allow-origin': ORIGIN,
  'access-control-allow-credentials': 'true',
}

const lost = (): never => {
  throw new TypeError('not an address')
}

// Vitest fails a run with an unhandled rejection, which would crash a host's process.
describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('%s stays up', (_, make) => {
  it('a trust proxy function that throws causes a 503 and is reported to the host', async () => {
    const { tokens, faults } = instance()
    const app: Express = make()
    app.set('trust proxy', lost)
    app.use('/admin', management(tokens, { actor: () => ADMIN, allowedOrigins: [ORIGIN] }))
    const answer = await fetch(`${await serve(app)}/admin`, { headers: { origin: ORIGIN } })
    expect([answer.status, answer.headers.has('retry-after')]).toEqual([503, true])
    expect(Object.fromEntries(answer.headers)).toMatchObject(FINISHED)
    expect(faults).toContain('ip')
  })

  it('the process keeps running when another handler answers a management call first', async () => {
    const { tokens } = instance()
    const app: Express = make()
    let asked: () => void = () => undefined
    let settled: () => void = () => undefined
    const done = new Promise<void>((resolve) => {
      settled = resolve
    })
    app.use((_req, res, next) => {
      asked = () => res.status(503).end('too slow')
      next()
    })
    const manageTokens = management(tokens, {
      actor: () => {
        asked()
        return ADMIN
      },
    })
    app.use('/admin', (req, res, next) => void Promise.resolve(manageTokens(req, res, next)).then(settled))
    const answer = await fetch(`${await serve(app)}/admin`)
    expect([answer.status, await answer.text()]).toEqual([503, 'too slow'])
    await done
  })

  it('a guard on a router without an application works and counts uses without an endpoint', async () => {
    const { tokens, faults } = instance()
    const { token, record } = await tokens.system.create({ name: 'n', scopes: ['a:b'] })
    const inner = make.Router()
    inner.get('/x', (_req, res) => void res.end('ok'))
    const router = make.Router()
    router.use('/api', authenticate(tokens, { credential: { header: 'x-key' } }), inner)
    const address = await serve((req, res) => router(req as never, res as never, () => res.end('nothing')))
    for (let calls = 0; calls < 2; calls += 1) {
      const answer = await fetch(`${address}/api/x`, { headers: { 'x-key': token } })
      expect([answer.status, await answer.text(), answer.headers.get('vary')]).toEqual([200, 'ok', 'x-key'])
    }
    await expect.poll(async () => (await tokens.system.usage(record.id)).endpoints).toEqual([{ endpoint: '', count: 2 }])
    expect(faults).toEqual([])
  })
})

it('Fastify answers 503 when the trust proxy function throws, and reports the error to the host', async () => {
  const { tokens, faults } = instance()
  const app = Fastify({ trustProxy: lost })
  running.push(() => app.close())
  await app.register(onFastify.management, { prefix: '/admin', tokens, actor: () => ADMIN, allowedOrigins: [ORIGIN] })
  const answer = await app.inject({ url: '/admin', headers: { 'x-forwarded-for': '203.0.113.1', origin: ORIGIN } })
  expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1'])
  expect(answer.headers).toMatchObject(FINISHED)
  expect(faults).toContain('ip')
})

it('mountPattern() does not match an overlong path against any layer', () => {
  let asked = 0
  const layer = {
    handle: { stack: [] },
    match: (path: string) => {
      asked += 1
      return { path }
    },
  }
  const app = { router: { stack: [layer] } }
  expect(mountPattern(app, '/a/b')).toBe('/*/*')
  const before = asked
  expect(mountPattern(app, '/a'.repeat(4000))).toBeUndefined()
  expect(mountPattern(app, `/${'a'.repeat(16_000)}`)).toBeUndefined()
  expect(asked).toBe(before)
})

it('Fastify answers 503 when a setter of the request throws after an asynchronous decision', async () => {
  const { tokens, faults } = instance()
  const { token } = await tokens.system.create({ name: 'x', scopes: ['a:b'] })
  const app = Fastify()
  let ran = 0
  app.addHook('onRequest', async (request) => {
    Object.defineProperty(request, 'principal', { set: lost })
  })
  await app.register(onFastify.authenticate, { tokens })
  app.get('/', async () => {
    ran += 1
    return 'fine'
  })
  running.push(() => app.close())
  // The first decision reads the store; the second does not.
  for (let request = 0; request < 2; request += 1) {
    expect((await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })).statusCode).toBe(503)
  }
  expect(faults).toEqual(['verify', 'verify'])
  expect(ran).toBe(0)
})
