import { afterEach, expect, it } from 'vitest'
import { type Answered, admin, type Harness, harness, superadmin } from './support.js'

const opened: Harness[] = []
afterEach(async () => {
  for (const { tokens } of opened.splice(0)) await tokens.close()
})
const open = (): Harness => {
  const made = harness()
  opened.push(made)
  return made
}
const ID = 'AAAAAAAAAAAAAAAA'
const said = ({ status, body }: Answered): readonly unknown[] => [status, body.code, body.detail]

it.each([
  ['DELETE', `/${ID}`, 'this path accepts GET, HEAD, PATCH, OPTIONS; to end a token, use POST /:id/revoke'],
  ['PUT', `/${ID}`, 'this path accepts GET, HEAD, PATCH, OPTIONS; to change some fields of a token, use PATCH'],
  ['POST', `/${ID}`, 'this path accepts GET, HEAD, PATCH, OPTIONS; to change some fields of a token, use PATCH'],
  ['DELETE', '/', 'this path accepts POST, GET, HEAD, OPTIONS; to end many tokens, use POST /revoke-all'],
  ['PATCH', '/', 'this path accepts POST, GET, HEAD, OPTIONS'],
  ['DELETE', '/self', 'this path accepts GET, HEAD, OPTIONS'],
])('a refused %s on %s says what to call instead', async (method, path, detail) => {
  expect(said(await open().call(method, path, { actor: admin }))).toEqual([405, 'method_not_allowed', detail])
})

it.each([
  ['POST', '/create'],
  ['POST', '/new'],
  ['PUT', '/create'],
  ['DELETE', '/short'],
  ['PROPFIND', '/create'],
  ['GET', '/create'],
  ['GET', '/create/revoke'],
  ['DELETE', '/short/usage'],
])('%s on %s gets 404, because the path contains no ID', async (method, path) => {
  const answer = await open().call(method, path, { actor: admin })
  expect([answer.status, answer.body.code, answer.headers.get('allow')]).toEqual([404, 'not_found', null])
  expect(answer.body.detail).toContain('IDs consist of 16 letters and digits')
})

it('a POST to a path without an ID says where tokens are created', async () => {
  const { call } = open()
  expect((await call('POST', '/create', { actor: admin })).body.detail).toContain('To create a token, send POST to the mount path')
  expect((await call('GET', '/create', { actor: admin })).body.detail).not.toContain('To create')
  expect((await call('POST', '/create')).status).toBe(401)
})

it.each(['id', 'idempotencyKey', 'idempotency_key', 'idempotency-key', 'Idempotency-Key'])(
  'the body field %s never suggests another body field that is refused',
  async (field) => {
    const { call } = open()
    for (const path of ['/', `/${ID}/rotate`]) {
      const { status, text, body } = await call('POST', path, { actor: superadmin, body: { name: 'x', scopes: [], [field]: 'k' } })
      expect([status, body.code]).toEqual([400, 'invalid_input'])
      expect(text).not.toMatch(/mean \\"idempotencyKey|one of .*idempotencyKey/)
      if (field !== 'id')
        expect(body.errors[0]).toEqual({
          in: 'body',
          pointer: `#/${field}`,
          detail: 'unknown field; send it as the Idempotency-Key header',
        })
    }
  },
)

it('an unknown body field lists only fields that the body can have', async () => {
  const { call } = open()
  for (const path of ['/', `/${ID}/rotate`]) {
    const { text } = await call('POST', path, { actor: superadmin, body: { zzzzzzzz: 1 } })
    expect(text).toContain('use one of ')
    expect(text).not.toContain('idempotencyKey')
  }
})

it('a reused idempotency key is called by the name of its header', async () => {
  const { call } = open()
  const headers = { 'idempotency-key': 'k1' }
  await call('POST', '/', { actor: superadmin, headers, body: { name: 'a', scopes: [] } })
  const { status, body } = await call('POST', '/', { actor: superadmin, headers, body: { name: 'b', scopes: [] } })
  const detail = 'this Idempotency-Key was used for a different request: use a new one'
  expect([status, body.detail, body.errors]).toEqual([422, detail, [{ in: 'header', pointer: '#/idempotency-key', detail }]])
})

it.each([
  ['/revoke-all', {}, 'the body: say which tokens: tenantId, ownerId, or all: true'],
  ['/revoke-all', [], 'the body: must be an object'],
  ['/', 'ERP', 'the body: must be an object'],
  [`/${ID}/revoke`, [], 'the body: must be an object'],
  [`/${ID}/rotate`, [], 'the body: must be an object: { overlap, ownerId }, not'],
])('a wrong body of POST %s is described without the names of JavaScript methods: %j', async (path, body, detail) => {
  const answer = await open().call('POST', path, { actor: superadmin, body })
  expect(answer.body.detail).toContain(detail)
  expect(answer.text).not.toContain('()')
})
