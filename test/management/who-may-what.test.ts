import { type Actor, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { admin, bearer, type Harness, harness, partner, superadmin, user } from './support.js'

// The creator and the tenant of each token.
const OWNERS = {
  'the user’s own token': { actor: user, tenantId: 'acme' },
  'another user’s token in the tenant': { actor: { ...user, id: 'vic' }, tenantId: 'acme' },
  'the administrator’s token in the tenant': { actor: admin, tenantId: 'acme' },
  'a token in the partner’s other tenant': { actor: partner, tenantId: 'bolt' },
  'a token in a foreign tenant': { actor: superadmin, tenantId: 'corp' },
  'a token without a tenant': { actor: superadmin, tenantId: undefined },
} as const satisfies { readonly [whose: string]: { readonly actor: Actor; readonly tenantId: string | undefined } }
type Whose = keyof typeof OWNERS

const ACTORS: readonly { readonly who: string; readonly actor: Actor; readonly sees: readonly Whose[] }[] = [
  { who: 'a client’s user', actor: user, sees: ['the user’s own token'] },
  {
    who: 'an administrator of one tenant',
    actor: admin,
    sees: ['the user’s own token', 'another user’s token in the tenant', 'the administrator’s token in the tenant'],
  },
  {
    who: 'a partner with two tenants',
    actor: partner,
    sees: [
      'the user’s own token',
      'another user’s token in the tenant',
      'the administrator’s token in the tenant',
      'a token in the partner’s other tenant',
    ],
  },
  { who: 'a superadmin', actor: superadmin, sees: Object.keys(OWNERS) as Whose[] },
]

// Every route that names a token, with its success status.
const ROUTES = [
  { method: 'GET', below: '', status: 200 },
  { method: 'PATCH', below: '', body: { name: 'edited' }, status: 200 },
  { method: 'POST', below: '/deactivate', body: {}, status: 200 },
  { method: 'POST', below: '/activate', body: {}, status: 200 },
  { method: 'GET', below: '/usage', status: 200 },
  { method: 'GET', below: '/events', status: 200 },
  { method: 'GET', below: '/explain', status: 200 },
  { method: 'POST', below: '/rotate', body: { overlap: 60 }, status: 201 },
  { method: 'POST', below: '/revoke', body: { reason: 'r' }, status: 200 },
] as const

const COLLECTION = [
  { method: 'GET', path: '/', status: 200 },
  { method: 'POST', path: '/', body: { name: 'n', tenantId: 'acme', scopes: [] }, status: 201 },
  { method: 'GET', path: '/events', status: 200 },
  { method: 'GET', path: '/scopes', status: 200 },
  { method: 'GET', path: '/me', status: 200 },
  { method: 'GET', path: '/usage?id=AAAAAAAAAAAAAAAA&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z', status: 200 },
  { method: 'GET', path: '/openapi.json', status: 200 },
  { method: 'POST', path: '/revoke-all', body: { tenantId: 'acme' }, status: 200 },
] as const

async function populate({ create }: Harness): Promise<ReadonlyMap<Whose, { id: string; token: string }>> {
  const made = new Map<Whose, { id: string; token: string }>()
  for (const [whose, { actor, tenantId }] of Object.entries(OWNERS))
    made.set(whose as Whose, await create(actor, { name: whose, tenantId }))
  return made
}

describe.each(ACTORS)('$who', ({ actor, sees }) => {
  it.each(Object.keys(OWNERS) as Whose[])(
    'an actor can use every route for %s if permitted, and otherwise gets the 404 of a missing token',
    async (whose) => {
      const h = harness()
      const target = (await populate(h)).get(whose)
      for (const { method, below, status, ...rest } of ROUTES) {
        const body = 'body' in rest ? { body: rest.body } : {}
        const answer = await h.call(method, `/${target?.id}${below}`, { actor, ...body })
        const missing = await h.call(method, `/AAAAAAAAAAAAAAAA${below}`, { actor, ...body })
        expect(missing.status).toBe(404)
        if (sees.includes(whose)) expect([method, below, answer.status]).toEqual([method, below, status])
        else {
          expect([method, below, answer.status, answer.text]).toEqual([method, below, 404, missing.text])
          expect([...answer.headers]).toEqual([...missing.headers])
        }
      }
      if (!sees.includes(whose)) expect(await h.tokens.system.get(target?.id ?? '')).toMatchObject({ version: 1, status: 'active' })
    },
  )

  it('an actor lists, counts and revokes exactly the tokens it can see', async () => {
    const h = harness()
    const made = await populate(h)
    const { body } = await h.call('GET', '/?limit=1000', { actor })
    expect(body.items.map((item: { name: string }) => item.name).sort()).toEqual([...sees].sort())
    const all = [...made.values()].map(({ id }) => `id=${id}`).join('&')
    const usage = await h.call('GET', `/usage?${all}&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z`, { actor })
    expect(usage.body.items).toHaveLength(sees.length)
    expect((await h.call('GET', `/?${all.replaceAll('id=', 'ids=')}`, { actor })).body.items).toHaveLength(sees.length)
    const events = await h.call('GET', '/events?action=token.created', { actor })
    expect(events.body.items).toHaveLength(sees.length)
    expect((await h.call('POST', '/revoke-all', { actor, body: { all: true } })).body).toEqual({ count: sees.length })
  })

  it.each(COLLECTION)('an actor can call $method $path', async ({ method, path, status, ...rest }) => {
    const { call } = harness()
    const answer = await call(method, path, { actor, ...('body' in rest && { body: rest.body }) })
    expect(answer.status).toBe(status)
  })
})

const EVERY = [...ROUTES.map(({ below, ...route }) => ({ ...route, path: `/:id${below}` })), ...COLLECTION]

describe('an unauthenticated caller', () => {
  const NOBODIES: readonly (readonly [string, unknown])[] = [
    ['undefined', undefined],
    ['null', null],
    ['false', false],
    ['an empty string', ''],
    ['zero', 0],
    ['true', true],
    ['the word system', 'system'],
    ['an empty object', {}],
    ['a list', [admin]],
    ['an object without an ID', { tenants: ['acme'], manages: 'all' }],
    ['an object with an empty ID', { ...admin, id: '' }],
    ['an object with a number as its ID', { ...admin, id: 7 }],
    ['an object with the ID of the application', { ...admin, id: 'system' }],
    ['an object without tenants', { id: 'ada', manages: 'all' }],
    ['an object with undefined tenants', { id: 'ada', manages: 'all', tenants: undefined }],
    ['an object with an empty list of tenants', { ...admin, tenants: [] }],
    ['an object with null in its list of tenants', { ...admin, tenants: [null] }],
    ['an object with a string as tenants', { ...admin, tenants: 'acme' }],
    ['an object without manages', { id: 'ada', tenants: '*' }],
    ['an object with an unknown value of manages', { ...admin, manages: 'everything' }],
    ['an object with undefined scopes', { ...admin, scopes: undefined }],
    ['an object with null scopes', { ...admin, scopes: null }],
    ['an object with null resources', { ...admin, resources: null }],
    ['a promise of undefined', Promise.resolve(undefined)],
    ['a function', () => undefined],
    ['a function of a function', () => () => admin],
    ['an error', () => new Error('x')],
  ]

  it.each(NOBODIES)('every route answers 401 when the actor is %s', async (_, actor) => {
    const h = harness()
    const { id, token } = await h.create(admin)
    for (const { method, path, ...rest } of EVERY) {
      const answer = await h.call(method, path.replace(':id', id), { actor, ...('body' in rest && { body: rest.body }) })
      expect([method, path, answer.status, answer.body?.code]).toEqual([method, path, 401, 'actor_missing'])
      expect(answer.headers.get('www-authenticate')).toBeTruthy()
    }
    expect((await h.call('GET', '/nowhere', { actor })).status).toBe(401)
    expect((await h.tokens.verify(token)).ok).toBe(true)
    expect((await h.tokens.system.list()).items).toHaveLength(1)
  })

  const FAULTS: readonly (readonly [string, unknown])[] = [
    ...[new Error('x'), undefined, null, '', 0, 'route'].map(
      (thrown) =>
        [
          `throws ${String(thrown)}`,
          () => {
            throw thrown
          },
        ] as const,
    ),
    ...[new Error('x'), undefined, null, false].map((reason) => [`rejects with ${String(reason)}`, () => Promise.reject(reason)] as const),
    ['never settles', () => new Promise(() => undefined)],
    [
      'has a then that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: a hostile answer
        get then() {
          throw new Error('x')
        },
      }),
    ],
    // Another instance's error says nothing about who the caller is.
    [
      'throws an error from this library',
      async () => latchkey({ prefix: 'x', store: memoryStore(), scopes: { a: 'A' } }).system.create({} as never),
    ],
  ]

  it.each(FAULTS)('every route answers 503 when the actor callback %s', async (_, actor) => {
    const h = harness({}, { deadline: 0.15 })
    const { id } = await h.create(admin)
    for (const { method, path, ...rest } of EVERY) {
      const answer = await h.call(method, path.replace(':id', id), { actor, ...('body' in rest && { body: rest.body }) })
      expect([method, path, answer.status, answer.body?.code]).toEqual([method, path, 503, 'store_unavailable'])
      expect(answer.headers.get('retry-after')).toBe('1')
    }
    expect((await h.tokens.system.list()).items).toHaveLength(1)
  })

  it("a request is answered with 401 when the actor's fields cannot be read", async () => {
    const { call } = harness()
    const hostile = {
      get id(): string {
        throw new Error('x')
      },
      tenants: '*',
      manages: 'all',
    }
    expect((await call('GET', '/', { actor: hostile })).status).toBe(401)
  })
})

describe('a request that carries a token', () => {
  it('a request that carries a token cannot manage tokens, even when a person is also signed in', async () => {
    const h = harness()
    const { id, token } = await h.create(admin, { scopes: ['inventory:read', 'tokens:rotate-self'] })
    const verified = await h.tokens.verify(token)
    if (!verified.ok) throw new Error('the token should be good')
    const ways = [
      { headers: bearer(token) },
      { headers: { authorization: `bearer   ${token}` } },
      { headers: { authorization: `Basic eA==, Bearer ${token}` } },
      { headers: bearer(`${token.slice(0, -6)}000000`) },
      { principal: verified.principal },
    ]
    for (const way of ways) {
      for (const { method, path, ...rest } of EVERY) {
        const answer = await h.call(method, path.replace(':id', id), {
          ...way,
          actor: superadmin,
          ...('body' in rest && { body: rest.body }),
        })
        expect([method, path, answer.status, answer.body?.code]).toEqual([method, path, 403, 'token_cannot_manage'])
      }
    }
    expect(await h.tokens.system.get(id)).toMatchObject({ version: 1, status: 'active' })
  })

  it.each<readonly [string, (pair: string) => string]>([
    ['base64', (pair) => btoa(pair)],
    ['base64url', (pair) => Buffer.from(pair).toString('base64url')],
    ['no padding', (pair) => btoa(`${pair}~`).replace(/=+$/, '')],
    ['surplus padding', (pair) => `${btoa(`${pair}~`)}==`],
    ['text after the padding', (pair) => `${btoa(pair)}=AAAA`],
    ['percent-encoding', (pair) => encodeURIComponent(btoa(pair))],
    ['characters that decoders ignore', (pair) => btoa(pair).replace(/^.{9}/, '$&*')],
  ])('a token in a Basic pair is recognized in any spelling that hosts may decode: %s', async (_, write) => {
    const { call, create } = harness()
    const { token } = await create(admin)
    for (const [surplus, gap] of [
      ['', ' '],
      ['~', '  '],
      ['~~', '\t'],
    ]) {
      const authorization = `Basic${gap}${write(`user???>>>~~:${token}${surplus}`)}`
      expect((await call('GET', '/', { actor: admin, headers: { authorization } })).body).toMatchObject({ code: 'token_cannot_manage' })
    }
    expect((await call('GET', '/', { actor: admin, headers: { authorization: `Basic ${write('ada:password')}` } })).status).toBe(200)
  })

  it('a token is recognized in the header that the options name', async () => {
    const { call, create } = harness({}, { credential: { header: 'x-api-key' } })
    const { token } = await create(admin)
    expect((await call('GET', '/', { actor: admin, headers: { 'x-api-key': token } })).status).toBe(403)
    expect((await call('GET', '/self', { headers: { 'x-api-key': token } })).status).toBe(200)
    expect((await call('GET', '/self', { headers: bearer(token) })).status).toBe(401)
  })

  it('other bearer credentials are left to the host', async () => {
    const { call } = harness()
    expect((await call('GET', '/', { actor: admin, headers: { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' } })).status).toBe(200)
  })
})
