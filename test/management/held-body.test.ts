import { latchkey } from 'latchkey'
import { introspection, revocation } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, management } from 'latchkey/web'
import { expect, it } from 'vitest'
import { instance, mint, pause, SCOPES } from '../latchkey/harness.js'

/** Longer than the API waits for a body before it determines the sender's rights again. */
const LATE_MS = 1_100

/** A request whose body has not arrived, and a function that sends it. */
function held(url: string, body: string, headers: Record<string, string>): { readonly request: Request; send(): void } {
  let send = (): void => undefined
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      send = () => {
        controller.enqueue(new TextEncoder().encode(body))
        controller.close()
      }
    },
  })
  const init = { method: 'POST', body: stream, duplex: 'half', headers } as RequestInit
  return { request: new Request(url, init), send: () => send() }
}

const json = { 'content-type': 'application/json' }
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const CREATE = JSON.stringify({ name: 'Back door', scopes: ['stock:read'], tenantId: 'acme' })

it.each([
  ['is no longer signed in', undefined, 401],
  ['no longer manages this tenant', ['other'], 403],
  ['has kept all rights', ['acme'], 201],
])('a person whose request body arrives late and who in the meantime %s gets %s', async (_what, later, status) => {
  const tokens = instance()
  let tenants: readonly string[] | undefined = ['acme']
  let asked = 0
  const manage = management(tokens, {
    mountPath: '/t',
    actor: () => {
      asked += 1
      return tenants && { id: 'bob', tenants, manages: 'own' }
    },
  })
  const { request, send } = held('https://api.test/t', CREATE, json)
  const response = manage(request)
  await expect.poll(() => asked).toBe(1)
  tenants = later
  await pause(LATE_MS)
  send()
  expect((await response).status).toBe(status)
  expect((await tokens.system.list()).items).toHaveLength(status === 201 ? 1 : 0)
})

it('the host is asked only once for a person whose request body arrives promptly', async () => {
  const tokens = instance()
  let asked = 0
  const manage = management(tokens, {
    mountPath: '/t',
    actor: () => {
      asked += 1
      return { id: 'bob', tenants: ['acme'], manages: 'own' }
    },
  })
  expect((await manage(new Request('https://api.test/t', { method: 'POST', body: CREATE, headers: json }))).status).toBe(201)
  expect(asked).toBe(1)
})

const withRotation = () =>
  latchkey({ prefix: 'acme_test', store: memoryStore(), scopes: { ...SCOPES, 'tokens:rotate-self': 'Rotate itself' }, logger: false })
type Tokens = ReturnType<typeof withRotation>
const CHANGES: readonly (readonly [string, number, (tokens: Tokens, id: string) => unknown])[] = [
  ['was revoked', 401, (tokens, id) => tokens.system.revoke(id, {})],
  ['was deactivated', 401, (tokens, id) => tokens.system.deactivate(id)],
  ['may no longer rotate itself', 403, (tokens, id) => tokens.system.update(id, { scopes: ['stock:read'] })],
  ['may be used only from other addresses', 403, (tokens, id) => tokens.system.update(id, { allowedIps: ['192.0.2.1'] })],
  ['was renamed', 201, (tokens, id) => tokens.system.update(id, { name: 'New' })],
]

it.each(CHANGES.flatMap((change) => [false, true].map((guarded) => [...change, guarded] as const)))(
  'a token that %s while the body of its rotation was awaited gets %i',
  async (_what, status, change, guarded) => {
    const tokens = withRotation()
    const { token, record } = await tokens.system.create({ name: 'ERP', scopes: ['stock:read', 'tokens:rotate-self'] })
    const manage = management(tokens, { mountPath: '/t', actor: () => undefined })
    const { request, send } = held('https://api.test/t/self/rotate', '{"overlap":"1h"}', { ...json, authorization: `Bearer ${token}` })
    if (guarded) expect((await authenticate(tokens, request)).response).toBeUndefined()
    const response = manage(request)
    await pause(20)
    await change(tokens, record.id)
    await pause(LATE_MS)
    send()
    expect((await response).status).toBe(status)
    expect((await tokens.system.list({ limit: 10 })).items).toHaveLength(status === 201 ? 2 : 1)
  },
)

it.each([
  ['revocation', revocation],
  ['introspection', introspection],
])('a client that is removed while its form is awaited gets 401 from %s', async (_what, endpoint) => {
  const tokens = instance()
  const { token, record } = await mint(tokens)
  let known = true
  const answer = endpoint(tokens, { client: () => (known ? { id: 'c', tenants: '*' } : undefined) })
  const { request, send } = held('https://api.test/', `token=${token}`, form)
  const response = answer(request)
  await pause(20)
  known = false
  await pause(LATE_MS)
  send()
  expect((await response).status).toBe(401)
  expect((await tokens.system.get(record.id))?.status).toBe('active')
})
