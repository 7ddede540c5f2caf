import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { createManagement } from '../../src/management/index.js'
import { admin, bearer, harness, ORIGIN, superadmin, user } from './support.js'

describe('every response', () => {
  it('every response forbids storing and sniffing', async () => {
    const { call, create } = harness()
    const { id } = await create(admin)
    const answers = [
      await call('GET', '/', { actor: admin }),
      await call('POST', '/', { actor: admin, body: { name: 'n', tenantId: 'acme', scopes: [] } }),
      await call('GET', `/${id}`, { actor: admin }),
      await call('GET', '/openapi.json', { actor: admin }),
      await call('GET', '/', { actor: undefined }),
      await call('GET', '/nowhere', { actor: admin }),
      await call('PUT', '/', { actor: admin }),
      await call('OPTIONS', '/'),
      await call('GET', '/self'),
      await call('POST', '/', { actor: admin, headers: { 'content-type': 'text/plain' } }),
      await call('GET', '/', {
        actor: () => {
          throw undefined
        },
      }),
    ]
    expect(answers.map((answer) => answer.status)).toEqual([200, 201, 200, 200, 401, 404, 405, 204, 401, 415, 503])
    for (const { headers } of answers) {
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
    }
  })
})

describe('methods and paths', () => {
  const ALLOW = {
    '/': 'POST, GET, HEAD, OPTIONS',
    '/AAAAAAAAAAAAAAAA': 'GET, HEAD, PATCH, OPTIONS',
    '/AAAAAAAAAAAAAAAA/rotate': 'POST, OPTIONS',
    '/AAAAAAAAAAAAAAAA/usage': 'GET, HEAD, OPTIONS',
    '/revoke-all': 'POST, OPTIONS',
    '/events': 'GET, HEAD, OPTIONS',
    '/self': 'GET, HEAD, OPTIONS',
    '/self/rotate': 'POST, OPTIONS',
    '/openapi.json': 'GET, HEAD, OPTIONS',
  }
  it.each(Object.entries(ALLOW))('the path %s allows the methods %s', async (path, allow) => {
    const { call } = harness()
    const options = await call('OPTIONS', path)
    expect([options.status, options.headers.get('allow'), options.text]).toEqual([204, allow, ''])
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'QUERY']) {
      if (allow.split(', ').includes(method)) continue
      const answer = await call(method, path, { actor: admin })
      expect([method, answer.status, answer.headers.get('allow'), answer.body.code]).toEqual([method, 405, allow, 'method_not_allowed'])
    }
  })

  it('headers and parameters cannot override the method', async () => {
    const { call, create } = harness()
    const { id } = await create(admin)
    for (const name of ['x-http-method-override', 'x-method-override', 'x-http-method']) {
      expect((await call('GET', `/${id}`, { actor: admin, headers: { [name]: 'PATCH' } })).body.version).toBe(1)
    }
    expect((await call('GET', `/${id}?_method=PATCH`, { actor: admin })).status).toBe(400)
  })

  it('HEAD answers like GET without the body', async () => {
    const { call, create } = harness()
    const { id } = await create(admin)
    const get = await call('GET', `/${id}`, { actor: admin })
    const head = await call('HEAD', `/${id}`, { actor: admin })
    expect([head.status, head.text]).toEqual([200, ''])
    expect([...head.headers]).toEqual([...get.headers])
    expect((await call('HEAD', '/', { actor: undefined })).status).toBe(401)
    expect((await call('HEAD', `/${id}/rotate`, { actor: admin })).status).toBe(405)
  })

  it('requests to paths without a route get 404', async () => {
    const { call, create, tokens } = harness()
    const { id } = await create(admin)
    const paths = [
      `/${id}/`,
      `/${id}//rotate`,
      `//${id}`,
      `/${id}/x`,
      `/${id.slice(1)}`,
      `/${id}0`,
      '/SELF',
      '/events/',
      `/${encodeURIComponent(`${id}/rotate`)}`,
      '/%',
      '/%ff',
      '/*',
      '/:id',
    ]
    for (const path of paths) expect([path, (await call('GET', path, { actor: admin })).status]).toEqual([path, 404])
    const api = createManagement(tokens)
    const outside = async (path: string, mount: string): Promise<number> =>
      (await api.fetch(new Request(`${ORIGIN}${path}`), { actor: admin }, mount)).status
    expect(await outside('/elsewhere', '/admin')).toBe(404)
    expect(await outside(`/adminx/${id}`, '/admin')).toBe(404)
    expect(await outside(`/admin${id}`, '/admin')).toBe(404)
    expect(await outside('/admin', '/admin/')).toBe(200)
  })

  it('a mountPath that is shorter than the real mount path gives 404 with a hint about the mount path', async () => {
    const { tokens } = harness()
    const { fetch } = createManagement(tokens)
    const answer = await fetch(new Request(`${ORIGIN}/admin/tokens`), { actor: admin }, '/admin')
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({
      code: 'not_found',
      detail: expect.stringMatching(/there is nothing at this path.*Check the path on which the API is mounted/),
    })
  })
})

describe('GET /', () => {
  const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

  it('GET / offers only JSON without the `dashboard` option', async () => {
    const { call } = harness()
    const status = async (accept: string): Promise<number> => (await call('GET', '/', { actor: admin, headers: { accept } })).status
    expect(await status('text/html')).toBe(406)
    expect(await status('application/json;q=0, */*')).toBe(406)
    expect(await status('application/*')).toBe(200)
    expect(await status('')).toBe(200)
    expect(await status(browser)).toBe(200)
    expect((await call('GET', '/page.js')).status).toBe(401)
  })

  it('GET / serves the page to clients that prefer HTML, with the API’s status', async () => {
    const dashboard = {
      page: (_: Request, status: number) => new Response('<p>', { status, headers: { 'content-type': 'text/html' } }),
      assets: ['/page.js'],
      asset: async () => new Response('1'),
    }
    const { call } = harness({}, { dashboard })
    const ask = (accept: string, actor: unknown = admin) => call('GET', '/', { actor, headers: { accept } })
    expect((await ask(browser)).text).toBe('<p>')
    expect((await ask('application/json, text/html;q=0.9')).body.items).toEqual([])
    expect((await ask('*/*')).body.items).toEqual([])
    expect((await ask('text/html', null)).status).toBe(401)
    expect((await call('GET', '/page.js')).text).toBe('1')
  })
})

describe('the holder of a token', () => {
  it('the holder of a token can read it with its effective scopes', async () => {
    const { call, create } = harness()
    const { id, token } = await create(admin, { scopes: ['@staff'] })
    const answer = await call('GET', '/self', { headers: bearer(token) })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({
      record: { id, scopes: ['@staff'], status: 'active' },
      effectiveScopes: ['inventory:read', 'billing:read'],
    })
    expect(answer.text).not.toContain(token.slice(27, 40))
  })

  it('GET /self rejects missing, malformed and refused tokens with their codes', async () => {
    const { call, create, tokens } = harness()
    const { id, token } = await create(admin, { allowedIps: ['192.0.2.1'] })
    const status = async (ask: object): Promise<unknown[]> => {
      const { status, body, headers } = await call('GET', '/self', ask)
      return [status, body.code, headers.has('www-authenticate')]
    }
    expect(await status({})).toEqual([401, 'credential_missing', true])
    expect(await status({ actor: superadmin })).toEqual([401, 'credential_missing', true])
    expect(await status({ headers: { authorization: 'Bearer a b' } })).toEqual([400, 'credential_malformed', true])
    expect(await status({ headers: bearer(`${token}x`) })).toEqual([401, 'token_invalid', true])
    expect(await status({ headers: bearer(token), ip: '192.0.2.2' })).toEqual([403, 'ip_denied', false])
    await tokens.system.deactivate(id)
    expect(await status({ headers: bearer(token), ip: '192.0.2.1' })).toEqual([401, 'token_inactive', true])
  })

  it('a token can rotate itself only with the scope tokens:rotate-self', async () => {
    const { call, create, tokens } = harness()
    const plain = await create(admin)
    const refused = await call('POST', '/self/rotate', { headers: bearer(plain.token) })
    expect([refused.status, refused.body.code]).toEqual([403, 'scope_insufficient'])
    expect(refused.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    expect(refused.headers.get('www-authenticate')).toContain('scope="tokens:rotate-self"')
    const able = await create(admin, { scopes: ['tokens:rotate-self'] })
    const headers = { ...bearer(able.token), 'idempotency-key': 'k' }
    const rotated = await call('POST', '/self/rotate', { headers, body: { overlap: 60 } })
    expect([rotated.status, rotated.headers.get('location')]).toEqual([201, '/admin/tokens/self'])
    expect((await tokens.verify(able.token)).ok && (await tokens.verify(rotated.body.token)).ok).toBe(true)
    const again = await call('POST', '/self/rotate', { headers, body: { overlap: 60 } })
    expect([again.status, again.body]).toMatchObject([200, { replayed: true, record: { id: rotated.body.record.id } }])
    expect(again.text).not.toContain(rotated.body.token)
    expect((await call('POST', '/self/rotate', { headers: bearer(able.token) })).status).toBe(409)
    const events = await tokens.system.events({ tokenId: able.id, action: 'token.rotated' })
    expect(events.items[0]?.actorId).toBe(`token:${able.id}`)
    await call('POST', '/self/rotate', { headers: bearer(rotated.body.token) })
    expect(await tokens.verify(rotated.body.token)).toEqual({ ok: false, code: 'token_revoked' })
  })

  it('a rotation can name another owner, and a token that rotates itself cannot', async () => {
    const { call, create, tokens } = harness()
    const { id, token } = await create(admin, { scopes: ['tokens:rotate-self'], ownerId: 'bob' })
    const refused = await call('POST', '/self/rotate', { headers: bearer(token), body: { ownerId: 'eve', overlap: 60 } })
    expect([refused.status, refused.body.errors]).toMatchObject([400, [{ in: 'body', pointer: '#/ownerId' }]])
    const wrong = await call('POST', `/${id}/rotate`, { actor: admin, body: { ownerId: null } })
    expect([wrong.status, wrong.body.errors]).toMatchObject([400, [{ in: 'body', pointer: '#/ownerId' }]])
    expect((await call('POST', `/${id}/rotate`, { actor: user, body: { ownerId: 'eve' } })).status).toBe(404)
    const ask = { actor: admin, headers: { 'idempotency-key': 'k' } }
    const rotated = await call('POST', `/${id}/rotate`, { ...ask, body: { ownerId: 'eve', overlap: 60 } })
    expect([rotated.status, rotated.body.record.ownerId, rotated.body.record.replacesId]).toEqual([201, 'eve', id])
    const reused = await call('POST', `/${id}/rotate`, { ...ask, body: { ownerId: 'bob', overlap: 60 } })
    expect([reused.status, reused.body.code]).toEqual([422, 'idempotency_key_reused'])
    const [event] = (await call('GET', `/${id}/events?action=owner.transferred`, { actor: admin })).body.items
    expect(event).toMatchObject({ actorId: 'ada', before: { ownerId: 'bob' }, after: { ownerId: 'eve' } })
    expect((await tokens.verify(token)).ok && (await tokens.verify(rotated.body.token)).ok).toBe(true)
  })

  it('self-rotation records the address of the caller in the audit log', async () => {
    const { call, create, tokens } = harness()
    const { id, token } = await create(admin, { scopes: ['tokens:rotate-self'] })
    const rotated = await call('POST', '/self/rotate', { headers: bearer(token), ip: '192.0.2.3' })
    const lost = await call('POST', '/self/rotate', { headers: bearer(rotated.body.token) })
    const seen = async (tokenId: string) =>
      (await tokens.system.events({ tokenId, action: ['token.created', 'token.rotated'] })).items.map(({ action, ip }) => [action, ip])
    expect(await seen(id)).toContainEqual(['token.rotated', '192.0.2.3'])
    expect(await seen(rotated.body.record.id)).toEqual([
      ['token.rotated', undefined],
      ['token.created', '192.0.2.3'],
    ])
    expect(await seen(lost.body.record.id)).toEqual([['token.created', undefined]])
  })

  it('calls to /self are counted once, with their route', async () => {
    const { call, create, tokens } = harness()
    const { id, token } = await create(admin)
    await call('GET', '/self', { headers: bearer(token), ip: '192.0.2.3' })
    await call('POST', '/self/rotate', { headers: bearer(token), ip: '192.0.2.3' })
    const { buckets } = await tokens.system.usage(id)
    expect(buckets.map(({ endpoint, outcome, count }) => [endpoint, outcome, count])).toEqual([
      ['GET /admin/tokens/self', 'allowed', 1],
      ['POST /admin/tokens/self/rotate', 'scope_insufficient', 1],
    ])
    await tokens.close()
  })
})

describe('an outage', () => {
  it('an outage causes a 503 with Retry-After, without internal details', async () => {
    const store = memoryStore()
    const broken = {
      ...store,
      list: () => Promise.reject(new Error('secret-host:5432')),
      find: () => Promise.reject(new Error('secret-host:5432')),
    }
    const { call } = harness({}, {}, broken as typeof store)
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/AAAAAAAAAAAAAAAA'],
      ['POST', '/AAAAAAAAAAAAAAAA/revoke'],
    ] as const) {
      const answer = await call(method, path, { actor: admin })
      expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([503, 'store_unavailable', '1'])
      expect(answer.body.failed).toBe('store')
      expect(answer.text).not.toContain('secret-host')
    }
  })

  it('a 503 names the store or a host callback as the cause, or names no cause if it was neither', async () => {
    const down = (): never => {
      throw new Error('secret-host')
    }
    const failed = async ({ call }: ReturnType<typeof harness>, ask: object = {}): Promise<unknown> => {
      const answer = await call('body' in ask ? 'POST' : 'GET', '/', { actor: admin, ...ask })
      expect([answer.status, answer.body.code]).toEqual([503, 'store_unavailable'])
      expect(answer.text).not.toContain('secret-host')
      return answer.body.failed
    }
    expect(await failed(harness(), { actor: down })).toBe('callback')
    expect(
      await failed(harness({ mayOwn: down }), { body: { name: 'x', scopes: ['inventory:read'], ownerId: 'bob', tenantId: 'acme' } }),
    ).toBe('callback')
    expect(await failed(harness({ clock: down }))).toBe(undefined)
  })

  it('a closed instance answers 503', async () => {
    const { call, tokens } = harness()
    await tokens.close()
    expect([(await call('GET', '/', { actor: admin })).status, (await call('GET', '/self', { headers: bearer('x') })).status]).toEqual([
      503, 503,
    ])
  })
})

describe('options', () => {
  const UNSOUND = [
    { maxBodyBytes: 0 },
    { maxBodyBytes: 1e9 },
    { deadline: 0 },
    { credential: 'digest' },
    { realm: 'a"\n' },
    { dashboard: 'x' },
    { dashboard: { title: 'the options of the page, without the page' } },
    { dashboard: () => new Response() },
    { unknown: 1 },
    null,
    [],
  ]
  it.each(UNSOUND)('createManagement() rejects the invalid options %j', (options) => {
    expect(() => createManagement(harness().tokens, options as never)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  })

  it('createManagement() rejects a missing instance', () => {
    for (const tokens of [undefined, {}, Promise.resolve()]) expect(() => createManagement(tokens as never)).toThrow(/tokens/)
  })
})
