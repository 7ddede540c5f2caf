import Router from '@koa/router'
import express5, { type RequestHandler } from 'express'
import express4 from 'express4'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import mount from 'koa-mount'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { describe, expect, it } from 'vitest'
import { bearer, endpointsOf, kit, served } from '../support/http/tokens.js'

const say: RequestHandler = (_req, res) => void res.json({ ran: true })
const nobody = { actor: () => undefined }

describe.each([
  ['Express 4', express4 as unknown as typeof express5],
  ['Express 5', express5],
])('mount names on %s', (name, express) => {
  it('a use of the management API is counted under the pattern of its mount path, whatever the caller requests', async () => {
    const { tokens, token, id } = await kit()
    const app = express()
    app.use('/orgs/:org/tokens', onExpress.management(tokens, nobody))
    const outer = express.Router()
    outer.use('/static', onExpress.management(tokens, nobody))
    app.use('/nested', outer)
    const paths = [
      '/orgs/Secret1/tokens/self',
      '/orgs/Secret2/tokens/self',
      '/ORGS/Secret3/Tokens/self',
      '/nested/static/self',
      '/NESTED/static/self',
    ]
    await served(app, async (origin) => {
      for (const path of paths) expect((await fetch(origin + path, bearer(token))).status).toBe(200)
    })
    expect(await endpointsOf(tokens, id, paths.length)).toEqual(['GET /nested/static/self allowed', 'GET /orgs/*/tokens/self allowed'])
  })

  it('a use of the management API has no endpoint when the host rewrites the mount path itself', async () => {
    const { tokens, token, id } = await kit()
    const app = express()
    const manage = onExpress.management(tokens, nobody)
    app.use((req, res, next) => {
      const [, first = '', ...rest] = req.url.split('/')
      req.baseUrl = `/${first}`
      req.url = `/${rest.join('/')}`
      manage(req, res, next)
    })
    await served(app, async (origin) => expect((await fetch(`${origin}/Secret1/self`, bearer(token))).status).toBe(200))
    expect(await endpointsOf(tokens, id, 1)).toEqual([' allowed'])
  })

  it('a caller-chosen value between fixed text in a mount path is replaced with an asterisk', async () => {
    const { tokens, token, id } = await kit()
    const app = express()
    const inner = () => express.Router().get('/do/:x', onExpress.authenticate(tokens), say)
    app.use('/reset-:code-end', inner())
    app.use('/v/inv:n.pdf', inner())
    app.use(/^\/twice\/0x(\d\d)-\1/, inner())
    app.use('/-/plain_path.v1', inner())
    if (name === 'Express 4') app.use('/x/:check(\\d\\d(?=-)-end)', inner())
    const paths = ['/reset-S3cretCode777-end/do/1', '/v/inv20240099.pdf/do/1', '/twice/0x42-42/do/1', '/-/plain_path.v1/do/1']
    if (name === 'Express 4') paths.push('/x/42-end/do/1')
    await served(app, async (origin) => {
      for (const path of paths) expect([path, (await fetch(origin + path, bearer(token))).status]).toEqual([path, 200])
    })
    expect(await endpointsOf(tokens, id, paths.length)).toEqual([
      'GET /*/do/:x allowed',
      'GET /-/plain_path.v1/do/:x allowed',
      'GET /twice/*/do/:x allowed',
      'GET /v/*/do/:x allowed',
      ...(name === 'Express 4' ? ['GET /x/*/do/:x allowed'] : []),
    ])
  })

  it('a mount path with a segment too long to examine gets no endpoint', async () => {
    const { tokens, token, id } = await kit()
    const app = express()
    app.use(`/${'long-'.repeat(60)}`, express.Router().get('/do', onExpress.authenticate(tokens), say))
    await served(app, async (origin) => {
      expect((await fetch(`${origin}/${'long-'.repeat(60)}/do`, bearer(token))).status).toBe(200)
    })
    expect(await endpointsOf(tokens, id, 1)).toEqual([' allowed'])
  })
})

it('on Hono, a use of the management API is counted under the pattern of its mount path', async () => {
  const { tokens, token, id } = await kit()
  const app = new Hono()
  app.route('/orgs/:org/tokens', onHono.management(tokens, nobody))
  for (const org of ['Secret1', 'Secret2']) expect((await app.request(`/orgs/${org}/tokens/self`, bearer(token))).status).toBe(200)
  expect(await endpointsOf(tokens, id, 2)).toEqual(['GET /orgs/:org/tokens/self allowed'])
})

it('on Fastify, a use of the management API is counted under the pattern of its prefix', async () => {
  const { tokens, token, id } = await kit()
  const app = Fastify()
  await app.register(onFastify.management, { prefix: '/admin/tokens', tokens, ...nobody })
  expect((await app.inject({ url: '/admin/tokens/self', ...bearer(token) })).statusCode).toBe(200)
  expect(await endpointsOf(tokens, id, 1)).toEqual(['GET /admin/tokens/self allowed'])
})

it('on Koa, a part of the path that the host removed before koa-mount appears as an asterisk in the endpoint name', async () => {
  const { tokens, token, id } = await kit()
  const app = new Koa()
  app.use((ctx, next) => {
    ctx.path = ctx.path.replace(/^\/orgs\/[^/]+/, '')
    return next()
  })
  app.use(mount('/tokens', onKoa.management(tokens, nobody)))
  await served(app.callback(), async (origin) => {
    for (const path of ['/orgs/Secret1/tokens/self', '/orgs/Secret2/tokens/self', '/tokens/self']) {
      expect((await fetch(origin + path, bearer(token))).status).toBe(200)
    }
  })
  expect(await endpointsOf(tokens, id, 3)).toEqual(['GET /*/tokens/self allowed', 'GET /tokens/self allowed'])
})

it('on Koa, uses of the management API on a route with parameters are counted under the route pattern', async () => {
  const { tokens, token, id } = await kit()
  const manage = onKoa.management(tokens, {
    actor: (ctx) => (ctx.get('authorization') === '' ? { id: 'root', tenants: '*', manages: 'all' } : undefined),
  })
  const app = new Koa()
  app.use(new Router().all('/before/:id/*rest', (_ctx, next) => next()).routes()).use(mount('/before', manage))
  app.use(new Router().all('/t/:tenant/admin/tokens{/*rest}', manage).routes())
  app.use(new Router({ prefix: '/orgs/:org' }).use('/tokens', new Router().all('/', manage).all('/*rest', manage).routes()).routes())
  app.use(mount('/api', new Router().all('/v1/:tenant{/*rest}', manage).routes()))
  app.use(new Router().all('/inside{/*rest}', mount('/inside', manage)).routes())
  const mounts = ['/t/Secret1/admin/tokens', '/t/tokens/admin/tokens', '/orgs/Secret3/tokens', '/api/v1/Secret4', '/inside', '/before']
  await served(app.callback(), async (origin) => {
    for (const path of mounts) {
      const status = async (rest: string, init?: RequestInit) => [path + rest, (await fetch(origin + path + rest, init)).status]
      expect(await status('/self', bearer(token))).toEqual([`${path}/self`, 200])
      expect(await status(`/${id}`)).toEqual([`${path}/${id}`, 200])
      expect(await status(`/${id}/usage?from=2026-01-01T00:00:00Z`)).toEqual([`${path}/${id}/usage?from=2026-01-01T00:00:00Z`, 200])
      expect(await status('/%73elf')).toEqual([`${path}/%73elf`, 404])
      expect(await status('//self')).toEqual([`${path}//self`, 404])
      expect(await status('/scopes/')).toEqual([`${path}/scopes/`, 404])
      if (!path.startsWith('/orgs')) expect(await status('?limit=1')).toEqual([`${path}?limit=1`, 200])
    }
  })
  expect(await endpointsOf(tokens, id, mounts.length)).toEqual([
    'GET /api/v1/:tenant/self allowed',
    'GET /before/self allowed',
    'GET /inside/self allowed',
    'GET /orgs/:org/tokens/self allowed',
    'GET /t/:tenant/admin/tokens/self allowed',
  ])
})
