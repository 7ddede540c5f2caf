import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, management, requireScopes } from 'latchkey/web'
import { expect, it, onTestFinished } from 'vitest'

// A rejection that nobody handles fails the test run, as it would end a process.
const lookup = async (): Promise<never> => {
  throw new Error('no such warehouse')
}
const unsafe = (value: unknown): never => value as never

function instance() {
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'a:read': 'Read' }, logger: false })
  onTestFinished(() => tokens.close())
  return tokens
}

it.each([
  ['a list', () => [lookup()]],
  ['a list, after a wait', async () => [lookup()]],
] as const)('a resource function that returns a promise in %s denies the request, with a warning', async (_how, warehouse) => {
  const tokens = instance()
  const { token } = await tokens.system.create({ name: 'made', scopes: ['a:read'], resources: { warehouse: ['w1'] } })
  const warnings: string[] = []
  const { response } = await authenticate(tokens, new Request('http://127.0.0.1/', { headers: { authorization: `Bearer ${token}` } }), {
    require: requireScopes('a:read', { warehouse: unsafe(warehouse) }),
    onWarning: ({ code, message }) => warnings.push(`${code} ${message}`),
  })
  expect(response?.status).toBe(403)
  expect(warnings).toEqual([expect.stringMatching(/^LATCHKEY_W016 .*returned a list that contains a promise/)])
})

it.each<[string, () => object]>([
  ['scopes', () => ({ id: 'ada', scopes: unsafe(lookup()) })],
  ['a list of scopes', () => ({ id: 'ada', scopes: [lookup()] })],
  ['resources', () => ({ id: 'ada', scopes: ['a:read'], resources: { warehouse: [lookup()] } })],
])('a session with a promise in its %s is answered with 503', async (_what, session) => {
  const { response } = await authenticate(instance(), new Request('http://127.0.0.1/'), { session: () => unsafe(session()) })
  expect(response?.status).toBe(503)
})

it('a resource function that returns a long list of promises denies the request', async () => {
  const tokens = instance()
  const { token } = await tokens.system.create({ name: 'made', scopes: ['a:read'], resources: { warehouse: ['w1'] } })
  const { response } = await authenticate(tokens, new Request('http://127.0.0.1/', { headers: { authorization: `Bearer ${token}` } }), {
    require: requireScopes('a:read', { warehouse: () => unsafe(Array.from({ length: 5_000 }, lookup)) }),
    onWarning: () => undefined,
  })
  expect(response?.status).toBe(403)
})

it('a session that is a class instance with a getter that throws is answered with 503 if its scopes are a promise', async () => {
  class Session {
    readonly scopes = lookup()
    get id(): string {
      throw new Error('down')
    }
  }
  const { response } = await authenticate(instance(), new Request('http://127.0.0.1/'), { session: () => unsafe(new Session()) })
  expect(response?.status).toBe(503)
})

it('lazy queries and getters in fields that are not read are left alone', async () => {
  let started = 0
  const query = {
    // biome-ignore lint/suspicious/noThenProperty: a lazy query, as query builders return
    then: () => {
      started += 1
    },
  }
  const actor = {
    id: 'ada',
    tenants: ['acme'],
    manages: 'all',
    orders: query,
    get rest() {
      started += 1
      return query
    },
  }
  const manage = management(instance(), { mountPath: '', actor: () => unsafe(actor) })
  expect((await manage(new Request('http://127.0.0.1/'))).status).toBe(200)
  expect(started).toBe(0)
})

it('an actor whose ID is a promise is not signed in', async () => {
  const manage = management(instance(), { mountPath: '', actor: () => unsafe({ id: lookup(), tenants: ['acme'], manages: 'all' }) })
  expect((await manage(new Request('http://127.0.0.1/'))).status).toBe(401)
})

it('a verification is undecided if the store returns a list of promises', async () => {
  const store = memoryStore()
  const tokens = latchkey({
    prefix: 'acme_live',
    store: { ...store, find: () => unsafe([lookup()]) },
    scopes: {},
    cache: false,
    logger: false,
  })
  onTestFinished(() => tokens.close())
  const { token } = await tokens.system.create({ name: 'made', scopes: [] }).catch(() => ({ token: `acme_live_${'0'.repeat(54)}` }))
  const outcome = await tokens.verify(token).catch((error: unknown) => error)
  expect(outcome).toMatchObject({ code: 'store_unavailable' })
})
