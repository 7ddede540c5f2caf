import Router from '@koa/router'
import Koa3, { type Context } from 'koa'
import mount from 'koa-mount'
import Koa2 from 'koa2'
import { authenticate, requireScopes } from 'latchkey/koa'
import { describe, expect, it } from 'vitest'
import { bearer, endpointsOf, kit, served } from '../support/http/tokens.js'

const say = (ctx: Context): void => {
  ctx.body = { ran: true, id: ctx.state.principal?.tokenId ?? null }
}

describe.each([
  ['Koa 2', Koa2],
  ['Koa 3', Koa3],
])('%s', (_name, Koa) => {
  const statusesOf = (app: Koa3, paths: readonly string[], init?: RequestInit): Promise<readonly number[]> =>
    served(app.callback(), (origin) => Promise.all(paths.map(async (path) => (await fetch(origin + path, init)).status)))

  it('refusals and outages do not reach a try/catch around next', async () => {
    const { tokens, outage, token } = await kit()
    for (const [instance, init, status] of [
      [outage, bearer(token), 503],
      [tokens, undefined, 401],
    ] as const) {
      const app = new Koa()
      let ran = 0
      app.use(async (_ctx, next) => {
        try {
          await next()
        } catch {
          ran += 1
          await next()
        }
      })
      app.use(authenticate(instance))
      app.use(() => {
        ran += 1
      })
      expect([await statusesOf(app, ['/'], init), ran]).toEqual([[status], 0])
    }
  })

  it('the guard replaces a principal set by earlier middleware, even if the request is not authenticated', async () => {
    const { tokens, token, id } = await kit()
    const answer = async (options: { optional?: boolean }, init?: RequestInit): Promise<unknown> => {
      const app = new Koa()
      app.use((ctx, next) => {
        ctx.state.principal = { tokenId: 'claimed' } as never
        ctx.body = 'claimed'
        return next()
      })
      app.use(authenticate(tokens, options)).use(say)
      return served(app.callback(), async (origin) => (await fetch(origin, init)).json())
    }
    expect(await answer({}, bearer(token))).toEqual({ ran: true, id })
    expect(await answer({ optional: true })).toEqual({ ran: true, id: null })
    expect(await answer({})).toMatchObject({ code: 'credential_missing' })
  })

  it('no spelling of a path bypasses a guard on a router, a nested router, a mount, or each route', async () => {
    const { tokens, token } = await kit()
    const guard = authenticate(tokens)
    const paths = ['/api/x', '/API/x', '/api/X', '/Api/X/', '/api/x/', '//api/x', '/api//x', '/%61pi/x']
    const api = new Router({ prefix: '/api' })
    api.get('/x', say)
    const sensitive = new Router({ prefix: '/api', sensitive: true })
    const mounted = new Koa().use(guard).use(new Router().get('/x', say).routes())
    const setUps = [
      new Router().use(guard).use(api.routes()).routes(),
      new Router().use(guard).get('/api/x', say).routes(),
      new Router().use('/api', guard, new Router().get('/x', say).routes()).routes(),
      sensitive.use(guard).get('/x', say).routes(),
      new Router({ prefix: '/api' }).get('/x', guard, say).routes(),
      mount('/api', mounted),
    ]
    for (const setUp of setUps) {
      const app = new Koa()
      app.use(setUp as Koa3.Middleware)
      const statuses = await statusesOf(app, paths)
      expect(statuses.filter((status) => status < 400)).toEqual([])
      expect(statuses[0]).toBe(401)
      expect((await statusesOf(app, ['/api/x'], bearer(token)))[0]).toBe(200)
    }
  })

  it('requireScopes refuses requests that bypass the guard because of a path prefix', async () => {
    const { tokens, token } = await kit()
    const app = new Koa()
    const router = new Router({ prefix: '/api' })
    router.use(authenticate(tokens)).get('/x', requireScopes('a:read'), say)
    app.use(router.routes())
    const [straight, around] = await statusesOf(app, ['/api/x', '/API/x'], bearer(token))
    expect([straight, around]).toEqual([200, 500])
  })

  it('the guard follows the proxy setting and warns when that setting contradicts allowedIps', async () => {
    const { tokens, create } = await kit()
    const { token } = await create({ allowedIps: ['203.0.113.7'] })
    for (const [proxy, maxIpsCount, forwarded, status, told] of [
      [false, 0, '203.0.113.7', 403, ['LATCHKEY_W003']],
      [true, 0, '203.0.113.7', 200, ['LATCHKEY_W010']],
      [true, 0, '198.51.100.1', 403, ['LATCHKEY_W010']],
      [true, 1, '203.0.113.7, 198.51.100.1', 403, []],
      [true, 1, '198.51.100.1, 203.0.113.7', 200, []],
    ] as const) {
      const codes: string[] = []
      const app = new Koa()
      app.proxy = proxy
      app.maxIpsCount = maxIpsCount
      app.use(authenticate(tokens, { onWarning: ({ code }) => codes.push(code) })).use(say)
      const init = { headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': forwarded } }
      expect([await statusesOf(app, ['/'], init), codes]).toEqual([[status], told])
    }
  })

  it('uses are counted under the route pattern, and never under the path', async () => {
    const { tokens, token, id } = await kit()
    const app = new Koa()
    const router = new Router({ prefix: '/v1' })
    router.get('/items/:item', say).get(/\/pattern\/.*/, say)
    app.use(authenticate(tokens)).use(router.routes())
    await statusesOf(app, ['/v1/items/7', '/v1/items/8', '/v1/pattern/secret', '/nowhere/secret'], bearer(token))
    expect(await endpointsOf(tokens, id, 4)).toEqual([' allowed', 'GET /v1/items/:item allowed'])
  })

  it('a refusal cuts off a response that has already begun', async () => {
    const { tokens } = await kit()
    const app = new Koa()
    app.silent = true
    app.use((ctx, next) => {
      ctx.respond = false
      ctx.res.write('begun')
      return next()
    })
    app.use(authenticate(tokens)).use(say)
    await served(app.callback(), async (origin) => {
      await expect(fetch(origin).then((response) => response.text())).rejects.toThrow()
    })
  })

  it('on Koa, Vary names the credential header', async () => {
    const { tokens, token } = await kit()
    const app = new Koa()
    app.use(authenticate(tokens, { credential: { header: 'x-api-key' } })).use(say)
    await served(app.callback(), async (origin) => {
      expect((await fetch(origin, { headers: { 'x-api-key': token } })).headers.get('vary')).toBe('x-api-key')
    })
  })
})
