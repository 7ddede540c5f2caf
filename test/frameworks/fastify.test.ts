import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { authenticate, management, requireScopes } from 'latchkey/fastify'
import { describe, expect, it } from 'vitest'
import { bearer, endpointsOf, kit } from '../support/http/tokens.js'

const say = async (request: FastifyRequest): Promise<object> => ({ ran: true, id: request.principal?.tokenId ?? null })

async function statusOf(app: FastifyInstance, url: string, init: { headers?: Record<string, string> } = {}): Promise<number> {
  return (await app.inject({ url, ...init })).statusCode
}

describe('the Fastify plugin', () => {
  it('the plugin guards the context that registers it and nested contexts, but not its parent or siblings', async () => {
    const { tokens, token } = await kit()
    const app = Fastify()
    app.get('/parent', say)
    await app.register(async (guarded) => {
      await guarded.register(authenticate, { tokens })
      guarded.get('/guarded', say)
      await guarded.register(async (inner) => void inner.get('/inner', say), { prefix: '/deep' })
    })
    await app.register(async (sibling) => void sibling.get('/sibling', say))
    expect(await Promise.all(['/parent', '/sibling', '/guarded', '/deep/inner'].map((url) => statusOf(app, url)))).toEqual([
      200, 200, 401, 401,
    ])
    expect(await statusOf(app, '/deep/inner', bearer(token))).toBe(200)
    await app.close()
  })

  it('the plugin refuses the request if the principal cannot be attached', async () => {
    const { tokens, token } = await kit()
    const app = Fastify()
    app.decorateRequest('principal', { getter: () => undefined })
    const told: string[] = []
    await app.register(authenticate, { tokens, onWarning: ({ code, message }) => told.push(`${code} ${message}`) })
    app.get('/', say)
    // The first decision waits for the store; the second does not.
    for (let turn = 0; turn < 2; turn += 1) expect(await statusOf(app, '/', bearer(token))).toBe(500)
    expect(told).toEqual([expect.stringMatching(/^LATCHKEY_W015 .*: GET \/$/)])
    await app.close()
  })

  it("the plugin guards earlier and later routes, route(), HEAD, and the root's 404 handler", async () => {
    const { tokens } = await kit()
    const app = Fastify({ routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true } })
    let ran = 0
    const run = async (): Promise<string> => {
      ran += 1
      return 'ran'
    }
    app.get('/before', run)
    await app.register(authenticate, { tokens })
    app.get('/after', run)
    app.route({ method: ['GET', 'PUT'], url: '/routed', handler: run })
    app.setNotFoundHandler(run)
    for (const url of ['/before', '/after', '/routed', '/BEFORE', '/before/', '//before', '/%62efore', '/nowhere']) {
      expect([url, await statusOf(app, url)]).toEqual([url, 401])
    }
    expect((await app.inject({ method: 'HEAD', url: '/after' })).statusCode).toBe(401)
    expect(ran).toBe(0)
    await app.close()
  })

  it('refusals and outages do not reach setErrorHandler or onError', async () => {
    const { tokens, outage, token } = await kit()
    for (const [instance, init, status] of [
      [outage, bearer(token), 503],
      [tokens, {}, 401],
    ] as const) {
      const app = Fastify()
      const seen: unknown[] = []
      app.setErrorHandler((error, _request, reply: FastifyReply) => {
        seen.push(error)
        return reply.code(200).send('swallowed')
      })
      app.addHook('onError', async (_request, _reply, error) => void seen.push(error))
      await app.register(authenticate, { tokens: instance })
      app.get('/', say)
      expect([await statusOf(app, '/', init), seen]).toEqual([status, []])
      await app.close()
    }
  })

  it('the plugin runs before bodies are read', async () => {
    const { tokens, token } = await kit()
    const app = Fastify()
    let parsed = 0
    app.addContentTypeParser('text/x', { parseAs: 'string' }, (_request, body, done) => {
      parsed += 1
      done(null, body)
    })
    await app.register(authenticate, { tokens })
    app.post('/', { onRequest: requireScopes('a:write') }, say)
    const post = (headers: Record<string, string>) =>
      app.inject({ method: 'POST', url: '/', payload: 'x', headers: { 'content-type': 'text/x', ...headers } })
    expect([(await post({})).statusCode, (await post(bearer(token).headers)).statusCode, parsed]).toEqual([401, 403, 0])
    await app.close()
  })

  it('the plugin warns if it is registered both in a context and inside it', async () => {
    const { tokens, token, id } = await kit()
    const codes: string[] = []
    const onWarning = ({ code }: { code: string }): void => void codes.push(code)
    const app = Fastify()
    await app.register(authenticate, { tokens, onWarning })
    await app.register(async (inner) => {
      await inner.register(authenticate, { tokens, onWarning })
      inner.get('/', say)
    })
    expect((await app.inject({ url: '/', ...bearer(token) })).json()).toEqual({ ran: true, id })
    expect(codes).toEqual(['LATCHKEY_W001'])
    await app.close()
  })

  it('the plugin rejects unknown options, including prefix, which would not limit what it guards', async () => {
    const { tokens } = await kit()
    for (const options of [{ tokens, prefix: '/api' }, { tokens, optinal: true }, { tokens: undefined }, {}]) {
      const app = Fastify()
      await expect((async () => app.register(authenticate, options as never))()).rejects.toThrow(
        /unknown (?:option|field)|must be the result of|app.register\(authenticate, \{ tokens \}\)/,
      )
    }
    const app = Fastify()
    await expect((async () => app.register(management, { tokens } as never))()).rejects.toThrow(/actor/)
  })

  it('the plugin follows trustProxy and warns when that setting contradicts allowedIps', async () => {
    const { tokens, create } = await kit()
    const { token } = await create({ allowedIps: ['203.0.113.7'] })
    const init = { headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': '203.0.113.7' } }
    for (const [trustProxy, status, told] of [
      [false, 403, ['LATCHKEY_W003']],
      [true, 200, ['LATCHKEY_W010']],
      ['127.0.0.1', 200, []],
      ['10.0.0.0/8', 403, []],
    ] as const) {
      const codes: string[] = []
      const app = Fastify({ trustProxy })
      await app.register(authenticate, { tokens, onWarning: ({ code }) => codes.push(code) })
      app.get('/', say)
      expect([trustProxy, await statusOf(app, '/', init), codes]).toEqual([trustProxy, status, told])
      await app.close()
    }
  })

  it('uses are counted under the route pattern with its prefix, and never under the path', async () => {
    const { tokens, token, id } = await kit()
    const app = Fastify()
    await app.register(authenticate, { tokens })
    await app.register(async (v1) => void v1.get('/items/:item', say), { prefix: '/v1' })
    for (const url of ['/v1/items/7', '/v1/items/8', '/nowhere/secret']) await app.inject({ url, ...bearer(token) })
    expect(await endpointsOf(tokens, id, 3)).toEqual([' allowed', 'GET /v1/items/:item allowed'])
    await app.close()
  })

  it('the management API works under a prefix with parameters, and only under normalized paths', async () => {
    const { tokens, token, id } = await kit()
    const app = Fastify({ routerOptions: { ignoreDuplicateSlashes: true, caseSensitive: false } })
    const actor = () => ({ id: 'root', tenants: '*', manages: 'all' }) as const
    await app.register(management, { prefix: '/orgs/:org/v:version/tokens', tokens, actor })
    const at = async (url: string) => (await app.inject({ url, headers: { accept: 'application/json' } })).statusCode
    for (const url of ['/orgs/acme/v1/tokens', '/orgs/acme/v1/tokens/', '/orgs/a%2Fb/v1/tokens/counts', `/orgs/x.y/v2/tokens/${id}?`]) {
      expect([url, await at(url)]).toEqual([url, 200])
    }
    const wrong = [
      '/orgs/../v1/tokens',
      '/orgs/%2e%2e/v1/tokens',
      '/orgs//acme/v1/tokens',
      '/orgs/acme/v1/tokens//counts',
      '/orgs/acme/v1/tokens/%63ounts',
      '/ORGS/acme/v1/tokens',
      '/orgs/acme/x/v1/tokens',
    ]
    for (const url of wrong) expect([url, await at(url)]).toEqual([url, 404])
    const input = { name: 'ERP', scopes: ['a:read'] }
    const created = await app.inject({
      method: 'POST',
      url: '/orgs/acme/v1/tokens',
      payload: input,
    })
    expect([created.statusCode, created.headers.location]).toEqual([201, `/orgs/acme/v1/tokens/${created.json().record.id}`])
    await app.inject({ url: '/orgs/Secret/v1/tokens/self', ...bearer(token) })
    expect(await endpointsOf(tokens, id, 1)).toEqual(['GET /orgs/:org/v:version/tokens/self allowed'])
    await app.close()
  })

  it('the plugin adds to an existing Vary header', async () => {
    const { tokens, token } = await kit()
    const app = Fastify()
    app.addHook('onRequest', async (_request, reply) => void reply.header('vary', 'Origin'))
    await app.register(authenticate, { tokens, credential: { header: 'x-api-key' } })
    app.get('/', say)
    expect((await app.inject({ url: '/', headers: { 'x-api-key': token } })).headers.vary).toBe('Origin, x-api-key')
    await app.close()
  })
})

describe('requireScopes', () => {
  it('requireScopes works in every hook of a route, and refuses requests with 500 if no guard ran', async () => {
    const { tokens, token } = await kit()
    const app = Fastify()
    app.get('/bare', { onRequest: requireScopes('a:read') }, say)
    await app.register(async (api) => {
      await api.register(authenticate, { tokens })
      api.get('/first', { onRequest: requireScopes('a:read') }, say)
      api.get('/last/:id', { preHandler: [requireScopes('a:read'), requireScopes('a:write')] }, say)
    })
    expect(await statusOf(app, '/bare', bearer(token))).toBe(500)
    expect(await statusOf(app, '/first', bearer(token))).toBe(200)
    expect(await statusOf(app, '/last/1', bearer(token))).toBe(403)
    await app.close()
  })
})
