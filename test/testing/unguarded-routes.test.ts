import 'reflect-metadata'
import KoaRouter from '@koa/router'
import { Controller, Get, type INestApplication, Module, Post, UseGuards } from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import express5 from 'express'
import express4 from 'express4'
import Fastify, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import mount from 'koa-mount'
import { describe, expect, it } from 'vitest'
import * as onExpress from '../../adapters/frameworks/express.js'
import * as onFastify from '../../adapters/frameworks/fastify.js'
import * as onHono from '../../adapters/frameworks/hono.js'
import * as onKoa from '../../adapters/frameworks/koa.js'
import { LatchkeyGuard, LatchkeyModule, RequireScopes } from '../../adapters/frameworks/nest.js'
import { testLatchkey, unguardedRoutes } from '../../src/testing/index.js'

const { tokens } = testLatchkey({ scopes: { 'a:read': 'Read' } })
const actor = (): undefined => undefined

describe.each([
  ['Express 5', express5],
  ['Express 4', express4 as unknown as typeof express5],
])('on %s', (_, express) => {
  const { authenticate, management, protect, requireScopes } = onExpress
  const end = (_req: unknown, res: { end(): void }): void => res.end()

  it('unguardedRoutes() lists routes before a guard, next to it and under another path', async () => {
    const app = express()
    app.get('/health', end)
    app.use('/api', authenticate(tokens))
    app.get('/api/orders/:id', end)
    app.get('/API/shouted', end)
    app.post('/apis', end)
    app.route('/two').get(protect(tokens, 'a:read'), end).put(end)
    app.get('/late', end, requireScopes('a:read'))
    app.get('/passing', (_req, _res, next) => next(), requireScopes('a:read'), end)
    app.all('/any', end)
    app.use('/admin/tokens', management(tokens, { actor }))
    expect(await unguardedRoutes(app)).toEqual(['GET /health', 'POST /apis', 'PUT /two', 'GET /late', 'ALL /any'])
  })

  it('unguardedRoutes() descends into routers and nested applications', async () => {
    const open = express.Router()
    open.get('/', end).get('/:id', end)
    const closed = express.Router({ mergeParams: true })
    closed.use(authenticate(tokens))
    closed.get('/', end).delete('/:id', end)
    const inner = express()
    inner.get('/open', end)
    inner.use(authenticate(tokens))
    inner.get('/closed', end)
    const app = express()
    app.use('/open', open)
    app.use('/shops/:shop', closed)
    app.use('/inner', inner)
    app.use('/guarded', authenticate(tokens), open)
    app.use(authenticate(tokens))
    app.use('/behind', open)
    expect(await unguardedRoutes(app)).toEqual(['GET /open', 'GET /open/:id', 'GET /inner/open'])
  })

  it('unguardedRoutes() counts a guard only if it covers every path that the route matches', async () => {
    const app = express()
    app.use('/v1/orders', authenticate(tokens))
    app.use(/^\/files\/[a-z]+/, authenticate(tokens))
    app.get('/:version/orders', end)
    app.get('/files/:name', end)
    app.get(/^\/expression/, end)
    app.all('/things/:id', authenticate(tokens))
    app.get('/things/:id', end)
    app.get('/things/:id/parts', end)
    expect(await unguardedRoutes(app)).toEqual(['GET /:version/orders', 'GET /files/:name', 'GET /(unreadable)', 'GET /things/:id/parts'])
  })

  it('unguardedRoutes() does not treat a guard on a regular expression as covering a route with parameters', async () => {
    const app = express()
    app.use(/^\/(?!login|health)/, authenticate(tokens))
    app.all(/^\/(?!login|health).*/, authenticate(tokens))
    app.get('/:section', end)
    app.get('/:section/:id', end)
    app.get('/plain/text', end)
    expect(await unguardedRoutes(app)).toEqual(['GET /:section', 'GET /:section/:id'])
  })

  it('unguardedRoutes() does not count a guard that Express skips because it matched only a part of a segment', async () => {
    const app = express()
    app.use(/^\/(?!login)/, authenticate(tokens))
    app.use(/^\/admin/i, authenticate(tokens))
    app.get('/stock', end)
    app.get('/admins', end)
    app.get('/admin/users', end)
    expect(await unguardedRoutes(app)).toEqual(['GET /stock', 'GET /admins'])
  })

  it('unguardedRoutes() counts a guard that matches every path, and a guard on the expression of its router', async () => {
    const app = express()
    const inner = express.Router().get('/:id', end)
    app.use(/^\/code\/[0-9a-f]{8}/, authenticate(tokens), inner)
    app.use('/shops/:shop', authenticate(tokens))
    app.get('/shops/:shop/orders', end)
    if (express === express5) app.use('/teams{/:team}', authenticate(tokens))
    else app.use('/teams/*', authenticate(tokens))
    app.get('/teams/:team/users', end)
    app.use(/.*/, authenticate(tokens))
    app.get('/:section', end)
    expect(await unguardedRoutes(app)).toEqual([])
  })

  it('unguardedRoutes() counts neither an optional guard nor a lookalike of a guard', async () => {
    const app = express()
    app.use(authenticate(tokens, { optional: true }))
    app.use(function authenticateRequest(_req, _res, next) {
      next()
    })
    const guard = authenticate(tokens)
    app.use((req, res, next) => guard(req, res, next))
    app.get('/open', end)
    app.get('/scoped', requireScopes('a:read'), end)
    expect(await unguardedRoutes(app)).toEqual(['GET /open'])
  })
})

describe('on Koa', () => {
  const { authenticate, management, protect, requireScopes } = onKoa
  const end = (ctx: { body: unknown }): void => void Object.assign(ctx, { body: '' })

  it('unguardedRoutes() lists Koa routes, including those of nested routers and mounted applications', async () => {
    const nested = new KoaRouter().get('/', end).get('/:id', requireScopes('a:read'), end)
    const router = new KoaRouter({ prefix: '/api' })
    router.get('/open', end)
    router.post('/late', end, requireScopes('a:read'))
    router.use('/closed', authenticate(tokens))
    router.get('/closed/:id', end)
    router.use('/nested', nested.routes())
    router.get('/own', protect(tokens, 'a:read'), end)
    const mounted = new Koa().use(new KoaRouter().get('/x', end).routes())
    const app = new Koa()
    app.use(router.routes())
    app.use(mount('/mounted', mounted))
    app.use(mount('/admin/tokens', management(tokens, { actor })))
    app.use(mount('/under', authenticate(tokens)))
    app.use(new KoaRouter().get('/under/loose', end).routes())
    app.use(new KoaRouter({ sensitive: true }).get('/under/exact', end).routes())
    // Koa's own composition, without a path.
    app.use(mount(new Koa().use(authenticate(tokens)).use(new KoaRouter().get('/composed', end).routes())))
    app.use(mount('/behind', mounted))
    const open = ['GET /api/open', 'POST /api/late', 'GET /api/nested', 'GET /mounted/x', 'GET /under/loose']
    expect(await unguardedRoutes(app)).toEqual(open)
  })

  it('unguardedRoutes() does not treat a guard on a regular expression as covering a Koa route with parameters', async () => {
    const router = new KoaRouter()
    router.all(/^\/(?!login)/, authenticate(tokens))
    router.get('/:section', end)
    router.get('/plain', end)
    router.all('/teams/:team', authenticate(tokens))
    router.get('/teams/:id', end)
    router.use('/shops/:shop', authenticate(tokens))
    router.get('/shops/:shop/orders/:order', end)
    router.all(/.*/, authenticate(tokens))
    router.get('/:section/late', end)
    const whole = new KoaRouter({ prefix: '/whole/:place' }).use(authenticate(tokens)).get('/:id', end)
    const app = new Koa().use(router.routes()).use(whole.routes())
    expect(await unguardedRoutes(app)).toEqual(['GET /:section'])
  })

  it('unguardedRoutes() does not count a guard that an exclusive router skips', async () => {
    const router = new KoaRouter({ exclusive: true })
    router.use(authenticate(tokens))
    router.get('/open', end)
    expect(await unguardedRoutes(new Koa().use(router.routes()))).toEqual(['GET /open'])
  })
})

describe('on Fastify', () => {
  const { authenticate, management, protect, requireScopes } = onFastify
  const end = async (): Promise<string> => ''

  it('unguardedRoutes() judges Fastify routes by their own hooks and those of their context', async () => {
    let made: FastifyInstance | undefined
    const routes = await unguardedRoutes(() => {
      const app = Fastify()
      made = app
      app.get('/health', end)
      app.register(
        async (api) => {
          api.get('/before', end)
          api.register(async (inner) => void inner.get('/inner/early', end))
          await api.register(authenticate, { tokens })
          api.get('/after', end)
          api.register(async (inner) => void inner.post('/inner/late', end))
        },
        { prefix: '/api' },
      )
      app.get('/scoped', { onRequest: requireScopes('a:read') }, end)
      app.get('/own', { preHandler: [protect(tokens, 'a:read')] }, end)
      app.route({ method: ['PUT', 'PATCH'], url: '/two', handler: end })
      app.register(async (part) => {
        await part.register(authenticate, { tokens, optional: true })
        part.get('/optional', end)
      })
      app.register(management, { prefix: '/admin/tokens', tokens, actor })
      return app
    })
    expect([...routes].sort()).toEqual(['GET /health', 'GET /optional', 'PATCH /two', 'PUT /two'])
    // Requests without a token confirm the list.
    const all = [
      'GET /health',
      'GET /api/before',
      'GET /api/inner/early',
      'GET /api/after',
      'GET /scoped',
      'GET /own',
      'PUT /two',
      'GET /optional',
    ]
    for (const name of all) {
      const [method = '', url = ''] = name.split(' ')
      const answer = await made?.inject({ method: method as 'GET', url })
      expect([name, answer?.statusCode === 200]).toEqual([name, routes.includes(name)])
    }
  })

  it('unguardedRoutes() lists an explicit HEAD route, but not one that Fastify adds to a GET', async () => {
    const routes = await unguardedRoutes(() => {
      const app = Fastify()
      app.head('/x', end)
      app.get('/x', { onRequest: protect(tokens, 'a:read'), exposeHeadRoute: false }, end)
      app.get('/y', end)
      return app
    })
    expect([...routes].sort()).toEqual(['GET /y', 'HEAD /x'])
  })

  it('unguardedRoutes() rejects an existing Fastify server with advice', async () => {
    await expect(unguardedRoutes(Fastify())).rejects.toMatchObject({
      code: 'invalid_input',
      field: 'app',
      message: expect.stringContaining('() =>'),
    })
  })
})

describe('on Hono', () => {
  const { authenticate, management, protect, requireScopes } = onHono

  it('unguardedRoutes() lists a route for all methods if its guard covers only one of them', async () => {
    const app = new Hono()
      .get('/api/*', authenticate(tokens))
      .all('/api/x', (c) => c.text(''))
      .get('/api/y', (c) => c.text(''))
    expect(await unguardedRoutes(app)).toEqual(['ALL /api/x'])
    expect((await app.request('/api/x', { method: 'POST' })).status).toBe(200)
  })

  it('unguardedRoutes() does not count a guard with a constrained parameter for a Hono route with parameters', async () => {
    const app = new Hono()
      .use('/:section{(?!login).+}', authenticate(tokens))
      .get('/:section', (c) => c.text(''))
      .get('/plain', (c) => c.text(''))
      .use('/teams/:id{[0-9]+}', authenticate(tokens))
      .get('/teams/:id{[0-9]+}', (c) => c.text(''))
      .get('/teams/:team', (c) => c.text(''))
    expect(await unguardedRoutes(app)).toEqual(['GET /:section', 'GET /teams/:team'])
    for (const path of ['/login-codes', '/teams/login-codes'])
      expect([path, (await app.request(path)).status === 200]).toEqual([path, path !== '/teams/login-codes'])
  })

  it('unguardedRoutes() lists unguarded Hono routes', async () => {
    const inner = new Hono()
      .onError((_, c) => c.text(''))
      .get('/open', (c) => c.text(''))
      .get('/closed', requireScopes('a:read'), (c) => c.text(''))
    const app = new Hono()
      .use(async (_, next) => next())
      .get('/health', (c) => c.text(''))
      .get('/api/early', (c) => c.text(''))
      .use('/api/*', authenticate(tokens))
      .get('/api/:id{[0-9]+}', (c) => c.text(''))
      .get('/:section/late', (c) => c.text(''))
      .post('/own', protect(tokens, 'a:read'), (c) => c.text(''))
      .all('/any/*', (c) => c.text(''))
      .use('/optional', authenticate(tokens, { optional: true }))
      .get('/optional', (c) => c.text(''))
      .route('/inner', inner)
      .mount('/mounted', () => new Response())
      .mount('/api/mounted', () => new Response())
      .route('/admin/tokens', management(tokens, { actor }))
    expect(await unguardedRoutes(app)).toEqual([
      'GET /health',
      'GET /api/early',
      'GET /:section/late',
      'ALL /any/*',
      'GET /optional',
      'GET /inner/open',
      'ALL /mounted/*',
    ])
    // Requests without a token confirm the list.
    const open = ['/health', '/api/early', '/x/late', '/any/x', '/optional', '/inner/open', '/mounted/x']
    const closed = ['/api/7', '/api/mounted/x', '/inner/closed', '/admin/tokens']
    for (const path of open) expect([path, (await app.request(path)).status]).toEqual([path, 200])
    for (const path of closed) expect([path, (await app.request(path)).status === 200]).toEqual([path, false])
  })
})

describe.each(['Express', 'Fastify'] as const)('Nest on %s', (platform) => {
  class Own extends LatchkeyGuard {
    override canActivate(): Promise<boolean> {
      return Promise.resolve(true)
    }
  }

  class Stock {
    show(): string {
      return ''
    }
    open(): string {
      return ''
    }
    own(): string {
      return ''
    }
  }
  class Root {
    home(): string {
      return ''
    }
  }
  class Files {
    download(): string {
      return ''
    }
  }
  class Orders {
    list(): string {
      return ''
    }
    make(): string {
      return ''
    }
  }
  const decorate = (type: { prototype: object }, name: string, ...decorators: readonly MethodDecorator[]): void => {
    const descriptor = Object.getOwnPropertyDescriptor(type.prototype, name)
    for (const decorator of decorators) decorator(type.prototype, name, descriptor ?? {})
  }
  decorate(Stock, 'show', Get(':id'), RequireScopes('a:read'))
  decorate(Stock, 'open', Get())
  decorate(Stock, 'own', Post(), UseGuards(Own) as MethodDecorator)
  Controller('stock')(Stock)
  decorate(Orders, 'list', Get())
  decorate(Orders, 'make', Post())
  Controller({ path: 'orders' })(Orders)
  UseGuards(LatchkeyGuard)(Orders)
  // Its path is a suffix of every path.
  decorate(Root, 'home', Get(), RequireScopes('a:read'))
  Controller()(Root)
  decorate(Files, 'download', Get(platform === 'Fastify' ? '*' : '*path'))
  Controller('files')(Files)

  const make = async (providers: object[] = []): Promise<INestApplication> => {
    class App {}
    Module({
      imports: [LatchkeyModule.forRoot({ tokens, management: { path: '/admin/tokens', actor } })],
      controllers: [Stock, Orders, Root, Files],
      providers: providers as [],
    })(App)
    const module = await Test.createTestingModule({ imports: [App] }).compile()
    const app = platform === 'Express' ? module.createNestApplication() : module.createNestApplication(new FastifyAdapter())
    app.setGlobalPrefix('api')
    return app
  }

  const onPlatform = (name: string): string => (platform === 'Fastify' ? name.replace('*path', '*') : name)

  it('unguardedRoutes() judges Nest routes by the guards of their method, class and application', async () => {
    expect([...(await unguardedRoutes(make))].sort()).toEqual(['GET /api/files/*path', 'GET /api/stock', 'POST /api/stock'].map(onPlatform))
    expect(await unguardedRoutes(() => make([{ provide: APP_GUARD, useClass: LatchkeyGuard }]))).toEqual([])
  })

  it('unguardedRoutes() lists routes that were not registered through Nest', async () => {
    const routes = await unguardedRoutes(async () => {
      const app = await make([{ provide: APP_GUARD, useClass: LatchkeyGuard }])
      app.getHttpAdapter().get('/api/orders/open', () => undefined)
      return app
    })
    expect(routes).toEqual(['GET /api/orders/open'])
  })
})

it('unguardedRoutes() rejects anything but an application', async () => {
  for (const app of [{}, () => ({}), () => undefined as never, 'x' as never])
    await expect(unguardedRoutes(app)).rejects.toMatchObject({ field: 'app' })
})
