import express5, { type ErrorRequestHandler, type RequestHandler } from 'express'
import express4 from 'express4'
import { latchkey } from 'latchkey'
import { authenticate, protect, requireScopes } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { bearer, endpointsOf, kit, served } from '../support/http/tokens.js'

const say: RequestHandler = (_req, res) => void res.json({ ran: true })
const fail: RequestHandler = (_req, _res, next) => next(new Error('broken'))
const failLater: RequestHandler = (_req, _res, next) => void setImmediate(() => next(new Error('broken')))
const throws: RequestHandler = () => {
  throw new Error('broken')
}
const onError: ErrorRequestHandler = (_error, _req, res, _next) => void res.status(500).json({ error: 'broken' })

/** Requests the paths of an app one after another, and returns the endpoints under which their uses were counted. */
async function countedBy(
  express: typeof express5,
  build: (app: express5.Express, enter: RequestHandler) => void,
  paths: readonly string[],
) {
  const { tokens, token, id } = await kit()
  const app = express().set('env', 'test')
  build(app, authenticate(tokens) as RequestHandler)
  await served(app, async (origin) => {
    for (const path of paths) await (await fetch(origin + path, bearer(token))).text()
  })
  return endpointsOf(tokens, id, paths.length)
}

describe.each([
  ['Express 4', express4 as unknown as typeof express5],
  ['Express 5', express5],
])('failed routes on %s', (name, express) => {
  const splat = name === 'Express 4' ? '*' : '*rest'

  it.each([
    ['without an error handler', (): void => undefined],
    ['with an error handler of the app', (app: express5.Express) => void app.use(onError)],
    ['with an error handler on a path', (app: express5.Express) => void app.use('/api', onError)],
  ])('a use whose handler fails is counted under the whole pattern of the route, %s', async (_, end) => {
    const endpoints = await countedBy(
      express,
      (app, enter) => {
        app.use('/api', enter)
        app.get('/api/direct/:id', requireScopes('a:read'), throws)
        const inner = express.Router().get('/x', fail).get('/later/:id', failLater).get(`/files/${splat}`, throws).get('/', fail)
        const middle = express.Router().use('/inner', inner)
        app.use('/api/r2', inner)
        app.use('/api/orgs/:org', middle)
        end(app)
      },
      [
        '/api/direct/Secret1',
        '/api/r2/x',
        '/api/r2/x?y=/z',
        '/api/r2/x/',
        '/api/r2/later/Secret2',
        '/api/r2',
        '/api/r2/files/Secret3/a',
        '/api/orgs/Secret4/inner/x',
        '/api/orgs/Secret5/inner/later/Secret6',
        '/api/orgs/Secret7/inner/files/a/b',
      ],
    )
    expect(endpoints).toEqual([
      'GET /api/direct/:id allowed',
      `GET /api/orgs/*/inner/files/${splat} allowed`,
      'GET /api/orgs/*/inner/later/:id allowed',
      'GET /api/orgs/*/inner/x allowed',
      'GET /api/r2/ allowed',
      `GET /api/r2/files/${splat} allowed`,
      'GET /api/r2/later/:id allowed',
      'GET /api/r2/x allowed',
    ])
  })

  it('a route that fails does not change how its successful uses are counted', async () => {
    const build = (app: express5.Express, enter: RequestHandler): void => {
      const inner = express
        .Router()
        .get(`/${splat}`, (req, res, next) => (req.url.endsWith('fail') ? next(new Error('broken')) : say(req, res, next)))
      app.use('/api', enter)
      app.use('/api/a', inner)
      app.use('/api/b/:c', inner)
      app.use(onError)
    }
    const expected = [`GET /api/a/${splat} allowed`, `GET /api/b/*/${splat} allowed`]
    expect(
      await countedBy(express, build, ['/api/a/1', '/api/a/fail', '/api/a/2', '/api/b/1/fail', '/api/b/2/3', '/api/b/4/fail']),
    ).toEqual(expected)
  })

  it('an error handler of an inner router does not shorten the pattern of the failed route', async () => {
    const build = (app: express5.Express, enter: RequestHandler): void => {
      const inner = express.Router().get('/x', enter, throws)
      app.use('/outer', express.Router().use('/inner', inner).use(onError))
    }
    expect(await countedBy(express, build, ['/outer/inner/x'])).toEqual(['GET /outer/inner/x allowed'])
  })

  it('a failed use of a mounted application is counted under its whole pattern or without an endpoint', async () => {
    const build = (end: (sub: express5.Express) => void) => (app: express5.Express, enter: RequestHandler) => {
      const sub = express().set('env', 'test')
      sub.use('/r', express.Router().get('/x', enter, throws))
      end(sub)
      app.use('/sub', sub)
      app.use(onError)
    }
    expect(
      await countedBy(
        express,
        build(() => undefined),
        ['/sub/r/x'],
      ),
    ).toEqual([' allowed'])
    expect(
      await countedBy(
        express,
        build((sub) => void sub.use(onError)),
        ['/sub/r/x'],
      ),
    ).toEqual(['GET /sub/r/x allowed'])
  })

  it('a failed use of a router that is called inside a function is counted without an endpoint', async () => {
    const build = (app: express5.Express, enter: RequestHandler): void => {
      const hidden = express.Router().get('/x', enter, throws)
      app.use('/api', (req, res, next) => hidden(req, res, next))
      app.use(onError)
    }
    expect(await countedBy(express, build, ['/api/x'])).toEqual([' allowed'])
  })

  it('uses of a router that is called inside a function at the root are counted under their endpoints', async () => {
    const build = (app: express5.Express, enter: RequestHandler): void => {
      const hidden = express.Router().get('/x/:id', enter, say).get('/y', enter, throws)
      app.use((req, res, next) => hidden(req, res, next))
    }
    expect(await countedBy(express, build, ['/x/1', '/y'])).toEqual(['GET /x/:id allowed', 'GET /y allowed'])
  })

  it('a host that rewrites the path does not change the endpoint of a failed use', async () => {
    const build = (app: express5.Express, enter: RequestHandler): void => {
      app.use((req, _res, next) => {
        req.url = req.url.replace(/^\/v1/, '/api')
        next()
      })
      const move: RequestHandler = (req, _res, next) => {
        req.url = '/elsewhere/and/further'
        next()
      }
      app.use('/api/r', enter, express.Router().get('/x', throws).get('/moved/:id', move, say))
      app.use(onError)
    }
    expect(await countedBy(express, build, ['/v1/r/x'])).toEqual(['GET /api/r/x allowed'])
    expect(await countedBy(express, build, ['/api/r/moved/1'])).toEqual(['GET /api/r/moved/:id allowed'])
  })

  it('a failing handler is not reported as a fault of latchkey', async () => {
    const reported: unknown[] = []
    const tokens = latchkey({
      prefix: 'acme_live',
      store: memoryStore(),
      scopes: { 'a:read': 'Read' },
      onError: (fault) => void reported.push(fault),
    })
    const { token = '', record } = await tokens.system.create({ name: 'x', scopes: ['a:read'] })
    const app = express()
      .set('env', 'test')
      .get('/x', protect(tokens, 'a:read') as RequestHandler, throws)
    await served(app, async (origin) => expect((await fetch(`${origin}/x`, bearer(token))).status).toBe(500))
    expect(await endpointsOf(tokens, record.id, 1)).toEqual(['GET /x allowed'])
    expect(reported).toEqual([])
  })
})
