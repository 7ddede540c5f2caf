import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import express5, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from 'express'
import express4 from 'express4'
import type { VerifyContext } from 'latchkey'
import { authenticate, management, requireScopes } from 'latchkey/express'
import { describe, expect, it, vi } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { decidedBy } from '../support/decided-by.js'
import { bearer, endpointsOf, kit, served } from '../support/http/tokens.js'

const say: RequestHandler = (req, res) => void res.json({ ran: true, id: req.principal?.tokenId ?? null })

const SPELLINGS = [
  '/api/stock',
  '/API/stock',
  '/api/stock/',
  '//api/stock',
  '/api//stock',
  '/%61pi/stock',
  '/a%70i/stock',
  '/api/%73tock',
  '/api/./stock',
  '/x/../api/stock',
  '/api%2fstock',
  'http://h/api/stock',
  '/api\\stock',
]

/** `fetch` would normalize the path. */
async function statusOf(origin: string, path: string): Promise<number | undefined> {
  const { hostname, port } = new URL(origin)
  const asked = request({ hostname, port, path, agent: false })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode
}

describe.each([
  ['Express 4', express4],
  ['Express 5', express5],
])('%s', (name, express) => {
  it('an outage reaches neither an error handler that swallows errors nor next(err)', async () => {
    const { outage, token } = await kit()
    const app = express()
    const seen: unknown[] = []
    const swallow: ErrorRequestHandler = (error, _req, _res, next) => {
      seen.push(error)
      next()
    }
    app.use('/api', authenticate(outage), swallow)
    app.get('/api/x', say)
    app.use(swallow, say)
    await served(app, async (origin) => {
      const response = await fetch(`${origin}/api/x`, bearer(token))
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
      expect(seen).toEqual([])
    })
  })

  describe('another spelling of a guarded path', () => {
    const reached = async (app: Express): Promise<readonly string[]> => {
      const open: string[] = []
      await served(app, async (origin) => {
        for (const path of SPELLINGS) if ((await statusOf(origin, path)) === 200) open.push(path)
      })
      return open
    }
    const scoped = requireScopes('a:read')

    it.each([
      ['on a path', (app, guard) => app.use('/api', guard).get('/api/stock', say)],
      ['on a path, and the route on a router', (app, guard) => app.use('/api', guard).use(express.Router().get('/api/stock', say))],
      ['on the router of the route', (app, guard) => app.use('/api', express.Router().use(guard).get('/stock', say))],
      ['on the router of a route with a parameter', (app, guard) => app.use(express.Router().use(guard).get('/:section/stock', say))],
    ] satisfies readonly (readonly [string, (app: Express, guard: ReturnType<typeof authenticate>) => unknown])[])(
      'it does not reach the route if the guard is %s',
      async (_where, set) => {
        const { tokens } = await kit()
        const app = express()
        set(app, authenticate(tokens))
        expect(await reached(app)).toEqual([])
      },
    )

    it.each([
      [
        'the route is on a router that ignores case',
        ['/API/stock'],
        (app, guards) => app.use(express.Router().get('/api/stock', ...guards, say)),
      ],
      [
        'the route has a parameter in place of the path',
        ['/%61pi/stock', '/a%70i/stock'],
        (app, guards) => app.get('/:section/stock', ...guards, say),
      ],
    ] satisfies readonly (readonly [string, readonly string[], (app: Express, guards: ReturnType<typeof requireScopes>[]) => unknown])[])(
      'it reaches only a route without requireScopes if %s',
      async (_why, open, set) => {
        const { tokens } = await kit()
        for (const guards of [[], [scoped]]) {
          const app = express()
          if (open[0] === '/API/stock') app.enable('case sensitive routing')
          app.use('/api', authenticate(tokens))
          set(app, guards)
          expect(await reached(app)).toEqual(guards.length === 0 ? open : [])
        }
      },
    )
  })

  it('the guard calls next once without arguments, and only for a valid token', async () => {
    const { tokens, outage, token } = await kit()
    for (const [instance, value, calls] of [
      [tokens, token, 1],
      [tokens, 'x', 0],
      [outage, token, 0],
    ] as const) {
      const guard = authenticate(instance)
      const next: unknown[][] = []
      const app = express()
      app.use((req, res) => {
        guard(req, res, (...args: unknown[]) => {
          next.push(args)
          res.end()
        })
      })
      await served(app, (origin) => fetch(origin, bearer(value)))
      expect(next).toEqual(Array(calls).fill([]))
    }
  })

  it('the guard replaces a principal set by earlier middleware, even if the request is not authenticated', async () => {
    const { tokens, token, id } = await kit()
    const app = express()
    const claim: RequestHandler = (req, _res, next) => {
      Reflect.set(req, 'principal', { tokenId: 'claimed' })
      next()
    }
    app.get('/strict', claim, authenticate(tokens), say)
    app.get('/optional', claim, authenticate(tokens, { optional: true }), say)
    app.get('/claimed', claim, requireScopes('a:read'), say)
    await served(app, async (origin) => {
      expect(await (await fetch(`${origin}/strict`, bearer(token))).json()).toEqual({ ran: true, id })
      expect(await (await fetch(`${origin}/optional`)).json()).toEqual({ ran: true, id: null })
      expect((await fetch(`${origin}/claimed`, bearer(token))).status).toBe(500)
    })
  })

  it('the guard refuses the request if the principal cannot be attached', async () => {
    const { tokens, token } = await kit()
    const app = express()
    app.use((req, _res, next) => {
      Object.defineProperty(req, 'principal', { value: { tokenId: 'fixed' } })
      next()
    })
    const told: string[] = []
    app.get('/', authenticate(tokens, { onWarning: ({ code, message }) => told.push(`${code} ${message}`) }), say)
    await served(app, async (origin) => {
      for (let turn = 0; turn < 2; turn += 1) expect((await fetch(origin, bearer(token))).status).toBe(500)
    })
    expect(told).toEqual([expect.stringMatching(/^LATCHKEY_W015 .*: GET \/$/)])
  })

  it('requireScopes names each route without a guard', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      const app = express()
      const mayRead = requireScopes('a:read')
      // The console reports each route once per process.
      const at = `/${name.replace(' ', '')}`
      app.get(`${at}/unguarded/:id`, mayRead, say)
      app.get(`${at}/second`, mayRead, say)
      await served(app, async (origin) => {
        for (const path of ['/unguarded/1', '/unguarded/2', '/second']) expect((await fetch(origin + at + path)).status).toBe(500)
      })
      const told = emit.mock.calls.map(([text]) => String(text).match(/GET \S+/)?.[0])
      expect(told).toEqual([`GET ${at}/unguarded/:id`, `GET ${at}/second`])
    } finally {
      emit.mockRestore()
    }
  })

  it('a refusal cuts off a response that has already begun, and does not pass on an error', async () => {
    const { tokens, outage, token } = await kit()
    for (const [instance, init] of [
      [tokens, {}],
      [outage, bearer(token)],
    ] as const) {
      const app = express()
      const errors: unknown[] = []
      const note: ErrorRequestHandler = (error, _req, res, _next) => {
        errors.push(error)
        res.destroy()
      }
      app.use((_req, res, next) => {
        res.write('begun')
        next()
      })
      app.get('/', authenticate(instance), say)
      app.use(note)
      await served(app, async (origin) => {
        await expect(fetch(origin, init).then((response) => response.text())).rejects.toThrow()
      })
      expect(errors).toEqual([])
    }
  })

  it('the guard follows the trust proxy setting, hop by hop', async () => {
    const { tokens, create } = await kit()
    const { token } = await create({ allowedIps: ['203.0.113.7'] })
    const statusBehind = async (setting: unknown, forwarded: string): Promise<number> => {
      const app = express()
      app.set('trust proxy', setting)
      app.get('/', authenticate(tokens, { onWarning: () => undefined }), say)
      return served(app, async (origin) => {
        return (await fetch(origin, { headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': forwarded } })).status
      })
    }
    expect(await statusBehind(false, '203.0.113.7')).toBe(403)
    expect(await statusBehind(1, '203.0.113.7')).toBe(200)
    expect(await statusBehind(1, '203.0.113.7, 198.51.100.1')).toBe(403)
    expect(await statusBehind(2, '203.0.113.7, 198.51.100.1')).toBe(200)
    expect(await statusBehind('loopback', '::ffff:203.0.113.7')).toBe(200)
    const throwing = (): never => {
      throw undefined
    }
    expect(await statusBehind(throwing, '203.0.113.7')).toBe(503)
  })

  it('the guard warns about a trust proxy setting that contradicts allowedIps, and about a second guard', async () => {
    const { tokens, token, create } = await kit()
    const limited = await create({ allowedIps: ['203.0.113.7'] })
    const codes: string[] = []
    const onWarning = ({ code }: { code: string }): void => void codes.push(code)
    const app = express()
    app.use(authenticate(tokens, { onWarning }))
    app.get('/', authenticate(tokens, { onWarning }), say)
    await served(app, async (origin) => {
      const headers = { authorization: `Bearer ${limited.token}`, 'x-forwarded-for': '203.0.113.7' }
      for (let turn = 0; turn < 2; turn += 1) {
        expect((await fetch(origin, { headers })).status).toBe(403)
        expect((await fetch(origin, bearer(token))).status).toBe(200)
      }
    })
    expect(codes).toEqual(['LATCHKEY_W003', 'LATCHKEY_W001'])
  })

  it('the guard does not warn about the proxy when the proxy is trusted and the address is simply not allowed', async () => {
    const { tokens, create } = await kit()
    const { token } = await create({ allowedIps: ['203.0.113.7'] })
    const codes: string[] = []
    const app = express()
    app.set('trust proxy', 1)
    app.get('/', authenticate(tokens, { onWarning: ({ code }) => codes.push(code) }), say)
    await served(app, async (origin) => {
      const headers = { authorization: `Bearer ${token}`, 'x-forwarded-for': '198.51.100.1' }
      expect((await fetch(origin, { headers })).status).toBe(403)
    })
    expect(codes).toEqual([])
  })

  it('the guard warns once when callers can choose their address', async () => {
    const { tokens, token } = await kit()
    for (const [setting, told] of [
      [true, ['LATCHKEY_W010']],
      [(): boolean => true, ['LATCHKEY_W010']],
      [1, []],
      ['loopback', []],
      [false, []],
    ] as const) {
      const codes: string[] = []
      const app = express()
      app.set('trust proxy', setting)
      app.get('/', authenticate(tokens, { onWarning: ({ code }) => codes.push(code) }), say)
      await served(app, async (origin) => {
        for (let turn = 0; turn < 2; turn += 1) expect((await fetch(origin, bearer(token))).status).toBe(200)
      })
      expect([setting, codes]).toEqual([setting, told])
    }
  })

  it('a use is counted even when the client disconnects before the decision', async () => {
    const { tokens, token, id } = await kit()
    const left = new AbortController()
    const slow = decidedBy(tokens, async (presented, context) => {
      left.abort()
      await new Promise((resolve) => setTimeout(resolve, 50))
      return deciderOf(tokens).decide(presented, context as VerifyContext)
    })
    const app = express()
    app.get('/', authenticate(slow), say)
    await served(app, async (origin) => {
      await expect(fetch(origin, { ...bearer(token), signal: left.signal })).rejects.toThrow()
      expect(await endpointsOf(tokens, id, 1)).toHaveLength(1)
    })
  })

  it('uses are counted under the route pattern, even in routers and sub-applications, and never under the path', async () => {
    const { tokens, token, id } = await kit()
    const app: Express = express()
    app.use(authenticate(tokens))
    const router = express.Router()
    router.get('/items/:item', say)
    const sub = express()
    sub.get('/deep/:x', say)
    app.use('/router', router)
    app.use('/sub', sub)
    app.get(/^\/pattern\/.*/, say)
    app.use('/plain', say)
    await served(app, async (origin) => {
      for (const path of ['/router/items/7', '/router/items/8', '/sub/deep/9', '/pattern/secret', '/plain/secret', '/nowhere/secret']) {
        await fetch(origin + path, bearer(token))
      }
    })
    expect(await endpointsOf(tokens, id, 6)).toEqual([' allowed', 'GET /router/items/:item allowed', 'GET /sub/deep/:x allowed'])
  })

  it('uses in mounted routers are counted by path: static mount paths stay, and * replaces segments that callers choose', async () => {
    const { tokens, token, id } = await kit()
    const app: Express = express()
    const inner = (): ReturnType<typeof express.Router> => {
      const router = express.Router()
      router.get('/do/:x', authenticate(tokens), say)
      return router
    }
    const between = express.Router()
    between.use('/:key', inner())
    const sub = express()
    sub.use('/in/:key', inner())
    app.use('/v1', inner())
    app.use('/v2', inner())
    app.use('/reset/:secret', inner())
    app.use('/users/user-:id/keys', inner())
    app.use(/^\/code\/[0-9a-f]{8}-4[0-9a-f]{3}/, inner())
    app.use('/between/', between)
    app.use('/sub/:secret', sub)
    app.use('/static/deep', inner())
    const paths = [
      '/v1/do/1',
      '/v2/do/1',
      '/reset/Secret1/do/1',
      '/users/user-77/keys/do/1',
      '/code/0badcafe-4abc/do/1',
      '/between/Secret2/do/1',
      '/sub/Secret3/in/Secret4/do/1',
      '/static/deep/do/1',
      '/STATIC/deep/do/1',
    ]
    await served(app, async (origin) => {
      for (const path of paths) expect((await fetch(origin + path, bearer(token))).status).toBe(200)
    })
    expect(await endpointsOf(tokens, id, paths.length)).toEqual([
      'GET /between/*/do/:x allowed',
      'GET /code/*/do/:x allowed',
      'GET /reset/*/do/:x allowed',
      'GET /static/deep/do/:x allowed',
      'GET /sub/*/in/*/do/:x allowed',
      'GET /users/*/keys/do/:x allowed',
      'GET /v1/do/:x allowed',
      'GET /v2/do/:x allowed',
    ])
  })

  it('on Express, Vary names the credential header unless that header is Authorization', async () => {
    const { tokens, token } = await kit()
    const app = express()
    app.get('/key', authenticate(tokens, { credential: { header: 'x-api-key' } }), say)
    app.get('/bearer', authenticate(tokens), say)
    await served(app, async (origin) => {
      expect((await fetch(`${origin}/key`, { headers: { 'x-api-key': token } })).headers.get('vary')).toBe('x-api-key')
      expect((await fetch(`${origin}/bearer`, bearer(token))).headers.get('vary')).toBeNull()
    })
  })

  it('errorBody and resource functions receive Express’s request', async () => {
    const { tokens, token } = await kit()
    const app = express()
    app.use(authenticate(tokens, { errorBody: (problem, req: Request) => ({ ...problem, path: req.originalUrl }) }))
    app.get('/w/:id', requireScopes('a:write', { warehouse: (req) => req.params.id }), say)
    await served(app, async (origin) => {
      expect(await (await fetch(`${origin}/w/1`, bearer(token))).json()).toMatchObject({ code: 'scope_insufficient', path: '/w/1' })
    })
  })

  it('the body of an unauthenticated request is not parsed', async () => {
    const { tokens } = await kit()
    const app = express()
    let parsed = 0
    app.use(authenticate(tokens))
    app.use(express.json({ verify: () => parsed++ }))
    app.post('/', say)
    await served(app, async (origin) => {
      const response = await fetch(origin, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' })
      expect([response.status, parsed]).toEqual([401, 0])
    })
  })
})

it('management warns when callers can choose the addresses in the audit log', async () => {
  const { tokens } = await kit()
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  try {
    const app = express5()
    app.set('trust proxy', true)
    app.use('/admin', management(tokens, { actor: () => undefined }))
    await served(app, async (origin) => void (await fetch(`${origin}/admin`)))
    expect(warned.mock.calls.map(([, options]) => Object(options).code)).toContain('LATCHKEY_W010')
  } finally {
    warned.mockRestore()
  }
})
