import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { admin, bearer, harness, ORIGIN, superadmin } from './support.js'

const MUTATIONS = ['', '/rotate', '/revoke', '/activate', '/deactivate'] as const
const FOREIGN: readonly { readonly [name: string]: string }[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'nonsense' },
  { 'sec-fetch-site': '' },
  { 'sec-fetch-site': 'same-origin, cross-site' },
  { origin: 'https://evil.test' },
  { origin: 'https://host.test' },
  { origin: 'http://host.test:81' },
  { origin: 'http://host.test.evil.test' },
  { origin: 'null' },
  { origin: '' },
  { origin: 'https://evil.test', 'sec-fetch-site': 'same-origin, same-origin' },
  { origin: 'https://evil.test', 'sec-fetch-site': 'none' },
  { origin: ORIGIN, 'sec-fetch-site': 'cross-site' },
]

describe('a page on another site', () => {
  it.each(FOREIGN)('a cross-site request with the headers %j changes nothing', async (headers) => {
    const { call, create, tokens } = harness()
    const { id } = await create(admin)
    for (const action of MUTATIONS) {
      const answer = await call(action === '' ? 'PATCH' : 'POST', `/${id}${action}`, { actor: superadmin, headers, body: {} })
      expect([action, answer.status, answer.body.code]).toEqual([action, 403, 'cross_site'])
    }
    for (const path of ['/', '/revoke-all', '/self/rotate', '/nowhere']) {
      expect([path, (await call('POST', path, { actor: superadmin, headers, body: { all: true } })).status]).toEqual([path, 403])
    }
    expect(await tokens.system.get(id)).toMatchObject({ version: 1, status: 'active' })
  })

  const EMBEDDED: readonly { readonly [name: string]: string }[] = [
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', origin: 'https://evil.test' },
    { 'sec-fetch-site': 'cross-site' },
  ]

  it.each(EMBEDDED)("a page that embeds routes does not use up its viewer's rate limit: %j", async (headers) => {
    const { call, create } = harness(
      {},
      { rateLimit: { limits: [{ name: 'few', limiter: new RateLimiterMemory({ points: 5, duration: 60 }) }], onFailure: 'refuse' } },
    )
    const { id } = await create(admin)
    for (const path of ['/', `/${id}`, '/events', '/me', '/nowhere', '/', `/${id}`, '/events', '/me', '/nowhere']) {
      expect([path, (await call('GET', path, { actor: admin, headers })).body.code]).toEqual([path, 'cross_site'])
    }
    expect((await call('POST', `/${id}/revoke`, { actor: admin })).status).toBe(200)
  })

  it('a link on another site can open a route, and an allowed origin can read', async () => {
    const { call, create } = harness({}, { allowedOrigins: ['https://app.test'] })
    const { id } = await create(admin)
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    const allowed = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', origin: 'https://app.test' }
    for (const headers of [link, allowed, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }]) {
      expect((await call('GET', `/${id}`, { actor: admin, headers })).status).toBe(200)
    }
  })

  it('a cross-site form is not accepted as an API call', async () => {
    const { call, create, tokens } = harness()
    const { id } = await create(admin)
    for (const type of [
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/plain',
      'text/plain; x=application/json',
      '',
    ]) {
      for (const action of MUTATIONS.slice(1)) {
        const answer = await call('POST', `/${id}${action}`, { actor: superadmin, headers: { 'content-type': type }, raw: '{}' })
        expect([type, action, answer.status]).toEqual([type, action, 415])
      }
    }
    expect(await tokens.system.get(id)).toMatchObject({ version: 1 })
  })

  it('a foreign origin gets no CORS headers and no preflight permission', async () => {
    const { call } = harness()
    for (const [method, path] of [
      ['GET', '/'],
      ['OPTIONS', '/'],
      ['OPTIONS', '/AAAAAAAAAAAAAAAA/revoke'],
      ['POST', '/'],
    ] as const) {
      const { headers } = await call(method, path, {
        actor: admin,
        headers: { origin: 'https://evil.test', 'access-control-request-method': 'POST' },
      })
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    }
  })
})

describe('a same-origin page', () => {
  const OWN: readonly { readonly [name: string]: string }[] = [
    {},
    { origin: ORIGIN },
    { origin: ORIGIN, 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    // Behind a proxy that terminates TLS, the page is https but the request that arrives here is not.
    { origin: 'https://host.test', 'sec-fetch-site': 'same-origin' },
    // Behind a proxy that changes Host, the names differ: the browser compared the origin with the name it requested.
    { origin: 'https://admin.example.com', 'sec-fetch-site': 'same-origin' },
  ]
  it.each(OWN)('a same-origin request with the headers %j can make changes', async (headers) => {
    const { call, create } = harness()
    const { id } = await create(admin)
    expect((await call('POST', `/${id}/revoke`, { actor: admin, headers })).status).toBe(200)
  })

  it('a POST with X-Requested-With and without a body needs no content type', async () => {
    const { tokens, create } = harness()
    const { createManagement } = await import('../../src/management/index.js')
    const { id } = await create(admin)
    const send = (init: RequestInit): Promise<Response> =>
      createManagement(tokens).fetch(new Request(`${ORIGIN}/t/${id}/deactivate`, { method: 'POST', ...init }), { actor: admin }, '/t')
    expect((await send({})).status).toBe(415)
    expect((await send({ headers: { 'x-requested-with': 'curl' }, body: new TextEncoder().encode('{}') })).status).toBe(415)
    expect((await send({ headers: { 'x-requested-with': 'curl' } })).status).toBe(200)
  })
})

describe('a proxy that changes Host, with a browser that sends only Origin', () => {
  it('the refusal of a request through a proxy that changes Host names both hosts and the fix', async () => {
    const { call } = harness()
    const headers = { origin: 'https://admin.example.com' }
    const { status, body } = await call('POST', '/revoke-all', { actor: superadmin, headers, body: {} })
    expect(status).toBe(403)
    for (const part of ['"https://admin.example.com"', `"${ORIGIN}"`, 'allowedOrigins', 'Host']) expect(body.detail).toContain(part)
  })

  it('a hostile Origin is quoted, escaped and truncated in the refusal', async () => {
    const { call } = harness()
    const { body } = await call('POST', '/revoke-all', { actor: superadmin, headers: { origin: `x" ${'y'.repeat(500)}` }, body: {} })
    expect(body.detail).toContain('"x\\" ')
    expect(body.detail.length).toBeLessThan(500)
  })
})

describe('an allowed origin', () => {
  const headers = { origin: 'https://admin.example.com', 'sec-fetch-site': 'cross-site' }

  it('an allowed origin can call the API and gets CORS headers on every response', async () => {
    const { call, create } = harness({}, { allowedOrigins: ['https://admin.example.com'] })
    const { id } = await create(admin)
    for (const answer of [
      await call('GET', `/${id}`, { actor: admin, headers }),
      await call('POST', `/${id}/revoke`, { actor: admin, headers }),
      await call('GET', '/', { actor: undefined, headers }),
    ]) {
      expect(answer.headers.get('access-control-allow-origin')).toBe('https://admin.example.com')
      expect(answer.headers.get('access-control-allow-credentials')).toBe('true')
      expect(answer.headers.get('vary')).toBe('Origin')
    }
    expect((await call('GET', `/${id}`, { actor: admin })).body.status).toBe('revoked')
    expect((await call('POST', `/${id}/revoke`, { actor: admin, headers: { ...headers, origin: 'https://evil.test' } })).status).toBe(403)
  })

  it.each<readonly [number, { readonly [name: string]: string }]>([
    [201, headers],
    [201, { 'sec-fetch-site': 'none' }],
    [201, { origin: ORIGIN }],
    [201, {}],
    [403, { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' }],
    [403, { origin: 'https://evil.test' }],
    [403, { 'sec-fetch-site': 'cross-site' }],
  ])('self-rotation with Basic answers as with Bearer: %i for the headers %j', async (status, sent) => {
    const { call, create } = harness({}, { allowedOrigins: ['https://admin.example.com'], credential: ['bearer', 'basic'] })
    const { token } = await create(admin, { scopes: ['tokens:rotate-self'] })
    const { token: other } = await create(admin, { scopes: ['tokens:rotate-self'] })
    const credentials = [bearer(token), { authorization: `Basic ${btoa(`${other}:`)}` }]
    for (const credential of credentials) {
      const answer = await call('POST', '/self/rotate', { headers: { ...sent, ...credential }, body: {} })
      expect([answer.status, answer.body.code]).toEqual([status, status === 403 ? 'cross_site' : undefined])
    }
  })

  it('preflight requests from an allowed origin permit the header that carries the token', async () => {
    const allowedOrigins = ['https://admin.example.com']
    for (const [credential, expected] of [
      [{ header: 'X-Api-Key' }, ['authorization', 'x-api-key']],
      [
        ['bearer', { header: 'x-one' }, { header: 'x-two' }],
        ['authorization', 'x-one', 'x-two'],
      ],
    ] as const) {
      const { call } = harness({}, { allowedOrigins, credential })
      const allowed = (await call('OPTIONS', '/self', { headers })).headers.get('access-control-allow-headers')
      expect(allowed?.toLowerCase().split(', ')).toEqual(expect.arrayContaining([...expected]))
      expect(new Set(allowed?.toLowerCase().split(', ')).size).toBe(allowed?.split(', ').length)
    }
  })

  it('preflight requests from an allowed origin are answered without authentication', async () => {
    const { call } = harness({}, { allowedOrigins: ['https://admin.example.com'] })
    const answer = await call('OPTIONS', '/AAAAAAAAAAAAAAAA', { headers })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('access-control-allow-methods')).toBe('GET, HEAD, PATCH, OPTIONS')
    expect(answer.headers.get('access-control-allow-headers')).toContain('If-Match')
    expect((await call('OPTIONS', '/', { headers: { origin: 'https://evil.test' } })).headers.has('access-control-allow-methods')).toBe(
      false,
    )
  })

  it.each(['https://admin.example.com/', 'admin.example.com', '*', 'null', 'https://a.b/path', 'ftp://a.b', ''])(
    'allowedOrigins rejects %j',
    (origin) => {
      expect(() => harness({}, { allowedOrigins: [origin] })).toThrow(/allowedOrigins\.0/)
    },
  )
})
