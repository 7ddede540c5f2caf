import { type Context, Hono } from 'hono'
import { authenticate, management, requireScopes } from 'latchkey/hono'
import { describe, expect, it } from 'vitest'
import { bearer, endpointsOf, kit } from '../support/http/tokens.js'

const say = (c: Context): Response => c.json({ ran: true, id: c.var.principal?.tokenId ?? null })
const statusOf = async (app: Hono, path: string, init?: RequestInit): Promise<number> => (await app.request(path, init)).status

describe('on Hono', () => {
  it('the guard returns the same response object when a handler responds without a body', async () => {
    const { tokens, token } = await kit()
    const app = new Hono()
    // Platforms mark requests that were already answered in this way.
    const answered = new Response(null, { headers: { 'x-already-sent': 'true' } })
    let came: Response | undefined
    app.use(async (c, next) => {
      await next()
      came = c.res
    })
    app.use(authenticate(tokens, { credential: { header: 'x-api-key' } }))
    app.get('/', (c) => (c.var.principal?.signal.aborted === false ? answered : c.text('')))
    expect((await app.request('/', { headers: { 'x-api-key': token } })).status).toBe(200)
    expect(came).toBe(answered)
    expect([...answered.headers.keys()]).toEqual(['x-already-sent'])
  })

  it('the guard sets Vary on every response, whichever handler sends it', async () => {
    const { tokens, token } = await kit()
    const app = new Hono()
    app.use(authenticate(tokens, { credential: { header: 'x-api-key' } }))
    app.get('/made', () => new Response('x', { headers: { 'cache-control': 'public' } }))
    app.get('/varied', () => new Response('x', { headers: { vary: 'accept' } }))
    app.get('/like', () => new Response('x', { headers: { vary: 'x-api-key-version' } }))
    app.get('/moved', () => Response.redirect('https://api.test/elsewhere', 301))
    app.get('/text', (c) => c.text('x'))
    app.get('/fails', () => {
      throw new Error('on purpose')
    })
    app.onError((_, c) => c.text('x', 500))
    const vary = async (path: string) => (await app.request(path, { headers: { 'x-api-key': token } })).headers.get('vary')
    expect(await Promise.all(['/made', '/varied', '/like', '/moved', '/text', '/fails'].map(vary))).toEqual([
      'x-api-key',
      'accept, x-api-key',
      'x-api-key-version, x-api-key',
      'x-api-key',
      'x-api-key',
      'x-api-key',
    ])
  })

  it("waitUntil receives the pending writes for uses and refused attempts along with each request's context", async () => {
    const { tokens, token } = await kit()
    const waitUntil = (work: Promise<unknown>, c: Context): void => c.executionCtx.waitUntil(work)
    const app = new Hono()
    app.use('/api/*', authenticate(tokens, { waitUntil }))
    app.get('/api/read', say)
    app.route('/tokens', management(tokens, { actor: () => undefined, waitUntil }))
    const handed: [string, unknown][] = []
    const call = (path: string, init?: RequestInit) =>
      app.request(path, init, {}, { waitUntil: (work: unknown) => handed.push([path, work]), passThroughOnException() {}, props: {} })
    for (const [path, init, status] of [
      ['/api/read', bearer(token), 200],
      ['/api/read', undefined, 401],
      ['/tokens', undefined, 401],
    ] as const) {
      expect([path, (await call(path, init)).status]).toEqual([path, status])
    }
    expect(handed).toEqual([
      ['/api/read', expect.any(Promise)],
      ['/api/read', expect.any(Promise)],
      ['/tokens', expect.any(Promise)],
    ])
    // Without such a context, as on Node, the request is still answered.
    expect(await statusOf(app, '/api/read', bearer(token))).toBe(200)
    await tokens.close()
  })

  it('refusals and outages do not reach onError or a catch around next', async () => {
    const { tokens, outage, token } = await kit()
    for (const [instance, init, status] of [
      [outage, bearer(token), 503],
      [tokens, undefined, 401],
    ] as const) {
      const app = new Hono()
      const seen: unknown[] = []
      app.onError((error, c) => {
        seen.push(error)
        return c.text('swallowed')
      })
      app.use(async (_c, next) => {
        try {
          await next()
        } catch (error) {
          seen.push(error)
        }
      })
      app.use('/api/*', authenticate(instance))
      app.get('/api/x', say)
      expect([await statusOf(app, '/api/x', init), seen]).toEqual([status, []])
    }
  })

  it('the guard replaces a principal set by earlier middleware, even if the request is not authenticated', async () => {
    const { tokens, token, id } = await kit()
    const app = new Hono()
    app.use(async (c, next) => {
      c.set('principal', { tokenId: 'claimed' } as never)
      await next()
    })
    app.get('/strict', authenticate(tokens), say)
    app.get('/optional', authenticate(tokens, { optional: true }), say)
    app.get('/claimed', requireScopes('a:read'), say)
    expect(await (await app.request('/strict', bearer(token))).json()).toEqual({ ran: true, id })
    expect(await (await app.request('/optional')).json()).toEqual({ ran: true, id: null })
    expect(await statusOf(app, '/claimed', bearer(token))).toBe(500)
  })

  it('the guard covers everything mounted below it, even without strict paths', async () => {
    const { tokens, token } = await kit()
    const app = new Hono({ strict: false })
    app.use('/api/*', authenticate(tokens))
    app.route('/api/sub', new Hono().get('/x', say))
    app.mount('/api/mounted', () => new Response('ran'))
    app.basePath('/api').get('/based', say)
    for (const path of ['/api/sub/x', '/api/sub/x/', '/api/mounted', '/api/mounted/x', '/api/based', '/%61pi/sub/x', '/api/%73ub/x']) {
      expect([path, await statusOf(app, path)]).toEqual([path, 401])
    }
    expect(await statusOf(app, '/api/sub/x', bearer(token))).toBe(200)
  })

  it('the guard gets the address only from the ip option, and warns once without it', async () => {
    const { tokens, create } = await kit()
    const { token } = await create({ allowedIps: ['203.0.113.7'] })
    const codes: string[] = []
    const statusWith = async (ip?: (c: Context) => string | undefined): Promise<number> => {
      const app = new Hono()
      app.use(authenticate(tokens, { ip, onWarning: ({ code }) => codes.push(code) }))
      app.get('/', say)
      return statusOf(app, '/', {
        headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': '203.0.113.7', 'x-client': '203.0.113.7' },
      })
    }
    expect(await statusWith()).toBe(403)
    expect(await statusWith((c) => c.req.header('x-client'))).toBe(200)
    expect(await statusWith(() => '::ffff:203.0.113.7')).toBe(200)
    expect(await statusWith(() => '203.0.113.8')).toBe(403)
    expect(
      await statusWith(() => {
        throw undefined
      }),
    ).toBe(503)
    expect(codes).toEqual(['LATCHKEY_W005'])
  })

  it('uses are counted under the last matching pattern, even when the handler fails, and never under the path', async () => {
    const { tokens, token, id } = await kit()
    const app = new Hono()
    app.onError((_error, c) => c.text('failed', 500))
    app.use('/api/*', authenticate(tokens))
    app.route(
      '/api/v1',
      new Hono().get('/items/:item', say).get('/fails/:x', () => Promise.reject(new Error('x'))),
    )
    for (const path of ['/api/v1/items/7', '/api/v1/items/8', '/api/v1/fails/1', '/api/nowhere/secret'])
      await app.request(path, bearer(token))
    expect(await endpointsOf(tokens, id, 4)).toEqual([
      'GET /api/* allowed',
      'GET /api/v1/fails/:x allowed',
      'GET /api/v1/items/:item allowed',
    ])
  })

  it('on Hono, Vary names the credential header', async () => {
    const { tokens, token } = await kit()
    const app = new Hono()
    app.use(authenticate(tokens, { credential: { header: 'x-api-key' } }))
    app.get('/', say)
    expect((await app.request('/', { headers: { 'x-api-key': token } })).headers.get('vary')).toBe('x-api-key')
  })

  it('authenticate rejects unknown options, and management requires an actor', async () => {
    const { tokens } = await kit()
    expect(() => authenticate(tokens, { optinal: true } as never)).toThrow(/optinal/)
    expect(() => authenticate(tokens, null as never)).toThrow(/^options: /)
    expect(() => management(tokens, {} as never)).toThrow(/actor/)
  })

  it('the management API works under a path with a parameter', async () => {
    const { tokens } = await kit()
    const app = new Hono()
    app.route('/:org/tokens', management(tokens, { actor: () => ({ id: 'root', tenants: '*', manages: 'all' }) }))
    const response = await app.request('/acme/tokens/', { headers: { accept: 'application/json' } })
    expect(response.status).toBe(200)
  })
})
