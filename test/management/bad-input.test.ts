import { describe, expect, it } from 'vitest'
import { type Answered, type Ask, admin, bearer, type Harness, harness, superadmin } from './support.js'

const GOOD = { name: 'n', tenantId: 'acme', scopes: ['inventory:read'] }

async function everything({ tokens }: Harness): Promise<string> {
  return JSON.stringify([await tokens.system.list(), await tokens.system.events()])
}

function expectProblem(answer: Answered, status: number, pointer?: string): void {
  expect(answer.status, answer.text).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(answer.body).toMatchObject({ status, title: expect.any(String), detail: expect.any(String), code: expect.any(String) })
  if (pointer !== undefined) expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer)
}

/** Sends a request and expects a refusal that changes nothing. */
async function refused(h: Harness, method: string, path: string, ask: Ask, status: number, pointer?: string): Promise<void> {
  const before = await everything(h)
  expectProblem(await h.call(method, path, { actor: superadmin, ...ask }), status, pointer)
  expect(await everything(h)).toBe(before)
}

const OWNED_BY_SERVER = {
  id: 'AAAAAAAAAAAAAAAA',
  digest: 'a'.repeat(64),
  secret: 'x',
  token: 'x',
  prefix: 'other',
  hint: 'x',
  status: 'active',
  version: 7,
  createdBy: 'eve',
  createdAt: '2020-01-01T00:00:00Z',
  updatedAt: '2020-01-01T00:00:00Z',
  revokedAt: null,
  revokedBy: 'eve',
  deactivatedAt: null,
  replacesId: 'AAAAAAAAAAAAAAAA',
  replacedById: null,
  rotationDueAt: '2020-01-01T00:00:00Z',
  lastUsedAt: '2020-01-01T00:00:00Z',
  pepperId: 'p',
  requestHash: 'x',
  idempotencyKey: 'k',
  actor: superadmin,
  constructor: { prototype: { isAdmin: true } },
  prototype: {},
  $set: { name: 'x' },
  toString: 'x',
}

describe('fields that a caller cannot set', () => {
  it.each(Object.entries(OWNED_BY_SERVER))('the API rejects %s in every body and changes nothing', async (field, value) => {
    const h = harness()
    const { id } = await h.create(admin)
    const pointer = `#/${encodeURIComponent(field)}`
    await refused(h, 'POST', '/', { body: { ...GOOD, [field]: value } }, 400, pointer)
    await refused(h, 'PATCH', `/${id}`, { body: { name: 'x', [field]: value } }, 400, pointer)
    await refused(h, 'POST', `/${id}/rotate`, { body: { overlap: 1, [field]: value } }, 400, pointer)
    await refused(h, 'POST', `/${id}/revoke`, { body: { reason: 'r', [field]: value } }, 400, pointer)
    await refused(h, 'POST', `/${id}/activate`, { body: { [field]: value } }, 400, pointer)
    await refused(h, 'POST', `/${id}/deactivate`, { body: { [field]: value } }, 400, pointer)
    await refused(h, 'POST', '/revoke-all', { body: { all: true, [field]: value } }, 400, pointer)
  })

  it('the API refuses to move a token to another tenant or owner', async () => {
    const h = harness()
    const { id } = await h.create(admin)
    await refused(h, 'PATCH', `/${id}`, { body: { tenantId: 'bolt' } }, 400, '#/tenantId')
    await refused(h, 'PATCH', `/${id}`, { body: { ownerId: 'eve' } }, 400, '#/ownerId')
  })

  it.each(['__proto__', 'constructor', 'prototype'])(
    'the API rejects the key %s at any depth, in raw text and in bodies that the host parsed',
    async (key) => {
      const h = harness()
      const { id } = await h.create(admin)
      const bodies = [
        `{"${key}":{"manages":"all"},"name":"x"}`,
        `{"name":"x","metadata":{"a":[{"${key}":1}]}}`,
        `{"name":"x","resources":{"${key}":["w1"]}}`,
        `{"name":"x","\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}":1}`,
      ]
      for (const raw of bodies) {
        await refused(h, 'PATCH', `/${id}`, { raw }, 400)
        await refused(h, 'PATCH', `/${id}`, { parsedBody: JSON.parse(raw) }, 400)
      }
      expect(({} as { manages?: unknown }).manages).toBeUndefined()
    },
  )
})

describe('values of the wrong type', () => {
  const WRONG: readonly (readonly [string, unknown])[] = [
    ['name', undefined],
    ['name', ''],
    ['name', 7],
    ['name', 'x'.repeat(201)],
    ['name', 'a\u0000b'],
    ['name', { $ne: null }],
    ['name', ['n']],
    ['scopes', undefined],
    ['scopes', null],
    ['scopes', 'inventory:read'],
    ['scopes/0', [7]],
    ['scopes/0', ['inventory:raed']],
    ['scopes/1', ['inventory:read', '@nobody']],
    ['scopes/0', ['*']],
    ['scopes', Array(101).fill('inventory:read')],
    ['tenantId', { $gt: '' }],
    ['tenantId', ''],
    ['tenantId', null],
    ['ownerId', ['a']],
    ['resources', []],
    ['resources/warehouse', { warehouse: 'w1' }],
    ['resources/warehouse/0', { warehouse: [{ $in: [] }] }],
    ['expiresAt', 4_102_444_800_000],
    ['expiresAt', '2026-02-30T00:00:00Z'],
    ['expiresAt', '2001-01-01T00:00:00Z'],
    ['expiresAt', ''],
    ['expiresAt', 'tomorrow'],
    ['notBefore', false],
    ['expiresIn', '60'],
    ['expiresIn', 1.5],
    ['expiresIn', -1],
    ['expiresIn', 0],
    ['expiresIn', 1e12],
    ['allowedIps', '192.0.2.1'],
    ['allowedIps/0', ['300.0.0.1']],
    ['rotateEvery', 0],
    ['metadata', []],
    ['metadata', 'x'],
    ['metadata', { big: 'x'.repeat(17_000) }],
  ]
  it.each(WRONG)('the API rejects a wrong value with a pointer to %s (%j)', async (pointer, value) => {
    const field = pointer.split('/')[0] ?? ''
    const h = harness()
    await refused(h, 'POST', '/', { body: { ...GOOD, [field]: value } }, 400, `#/${pointer}`)
  })

  it('the API reports all invalid fields in one response', async () => {
    const { call } = harness()
    const answer = await call('POST', '/', { actor: superadmin, body: { name: 7, scopes: 'x', extra: 1 } })
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer).sort()).toEqual(['#/extra', '#/name', '#/scopes'])
  })

  it.each([null, [], 'text', 7, true])('the API rejects a body of %j on every route and changes nothing', async (body) => {
    const h = harness()
    const { id, token } = await h.create(admin, { scopes: ['tokens:rotate-self'] })
    const BODIES: readonly Ask[] = [{ body }, { parsedBody: body, headers: { 'content-length': String(JSON.stringify(body).length) } }]
    for (const sent of BODIES) {
      await refused(h, 'POST', '/', sent, 400, '#')
      await refused(h, 'PATCH', `/${id}`, sent, 400, '#')
      for (const action of ['rotate', 'revoke', 'activate', 'deactivate']) await refused(h, 'POST', `/${id}/${action}`, sent, 400, '#')
      await refused(h, 'POST', '/revoke-all', sent, 400, '#')
      expectProblem(await h.call('POST', '/self/rotate', { ...sent, headers: { ...sent.headers, ...bearer(token) } }), 400, '#')
    }
    expect(await h.tokens.system.get(id)).toMatchObject({ version: 1, status: 'active' })
  })
})

describe('bodies that are not exactly one JSON text', () => {
  const latin1 = new Uint8Array([0x7b, 0x22, 0x6e, 0x61, 0x6d, 0x65, 0x22, 0x3a, 0x22, 0xe9, 0x22, 0x7d])
  const BODIES: readonly (readonly [string, string | Uint8Array, string])[] = [
    ['invalid JSON', '{"name":', '#'],
    ['two values', '{} {}', '#'],
    ['a comment', '{/**/}', '#'],
    ['NaN', '{"name":NaN}', '#'],
    ['a byte order mark', '\ufeff{"name":"x"}', '#'],
    ['bytes that are not UTF-8', latin1, '#'],
    ['a repeated key', '{"name":"a","name":"b"}', '#/name'],
    ['a repeated key with blanks and escapes', '{"n\\u0061me" : "a", "name"\n:"b"}', '#/name'],
    ['a repeated key deeper down', '{"metadata":{"list":[1,{"a/b":1,"a/b":2}]}}', '#/metadata/list/1/a~1b'],
    ['40 levels of nesting', `{"metadata":${'{"a":'.repeat(40)}1${'}'.repeat(41)}`, '#'],
    ['30,000 levels of nesting', `${'['.repeat(30_000)}${']'.repeat(30_000)}`, '#'],
  ]
  it.each(BODIES)('the API rejects a body with %s', async (_, raw, pointer) => {
    const h = harness()
    const { id } = await h.create(admin)
    const before = await everything(h)
    for (const ask of [{ raw }, { parsedBody: raw }]) {
      const answer = await h.call('PATCH', `/${id}`, { actor: superadmin, ...ask })
      expectProblem(answer, 400)
      expect(answer.body.errors[0].pointer.startsWith(pointer)).toBe(true)
    }
    expect(await everything(h)).toBe(before)
  })

  it('the API accepts keys that repeat only in different objects or inside strings', async () => {
    const { call } = harness()
    const metadata = { a: { x: 1 }, b: { x: 1 }, list: [{ x: 1 }, { x: '{"x":1,"x":2}' }], 'q"': '\\', 'x,': ':' }
    const answer = await call('POST', '/', { actor: superadmin, body: { ...GOOD, metadata } })
    expect(answer.body.record.metadata).toEqual(metadata)
  })

  it('the API rejects other content types, content encodings, and bodies without a content type', async () => {
    const h = harness()
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonx',
      'application/json, text/plain',
    ]
    for (const type of [...types, 'application/json; charset=latin1', 'application/json; charset=utf-8; x=y', '']) {
      await refused(h, 'POST', '/', { raw: JSON.stringify(GOOD), headers: { 'content-type': type } }, 415, '#/content-type')
    }
    await refused(h, 'POST', '/', { body: GOOD, headers: { 'content-encoding': 'gzip' } }, 415, '#/content-encoding')
    const answer = await h.call('POST', '/', {
      actor: superadmin,
      body: GOOD,
      headers: { 'content-type': 'Application/JSON ; charset="UTF-8"' },
    })
    expect(answer.status).toBe(201)
  })

  it('the API rejects a body by its declared length without reading it', async () => {
    const h = harness()
    let pulled = 0
    const endless = (): ReadableStream<Uint8Array> =>
      new ReadableStream(
        {
          pull: (controller) => {
            pulled += 1
            controller.enqueue(new Uint8Array(16_384).fill(0x20))
          },
        },
        { highWaterMark: 0 },
      )
    await refused(h, 'POST', '/', { raw: endless(), headers: { 'content-length': '65537' } }, 413, '#')
    expect(pulled).toBe(0)
    await refused(h, 'POST', '/', { raw: endless() }, 413, '#')
    expect(pulled).toBeLessThan(10)
    await refused(h, 'POST', '/', { raw: endless(), headers: { 'content-length': '5' } }, 413, '#')
  })

  it('the API accepts 64 KB and not a byte more, even in bodies that the host parsed', async () => {
    const h = harness()
    const { id } = await h.create(admin)
    const padded = (bytes: number): string => `{"name":"x"${' '.repeat(bytes - 12)}}`
    expect((await h.call('PATCH', `/${id}`, { actor: superadmin, raw: padded(65_536) })).status).toBe(200)
    await refused(h, 'PATCH', `/${id}`, { raw: padded(65_537) }, 413)
    await refused(h, 'PATCH', `/${id}`, { parsedBody: { name: 'é'.repeat(40_000) } }, 413)
    await refused(h, 'PATCH', `/${id}`, { parsedBody: new TextEncoder().encode(padded(65_537)) }, 413)
    const small = harness({}, { maxBodyBytes: 1024 })
    await refused(small, 'POST', '/', { body: { ...GOOD, description: 'x'.repeat(1000) } }, 413)
  })

  it('the API accepts bodies that the host already parsed, as a value, text or bytes', async () => {
    const { call } = harness()
    for (const parsedBody of [GOOD, JSON.stringify(GOOD), new TextEncoder().encode(JSON.stringify(GOOD))]) {
      expect((await call('POST', '/', { actor: superadmin, parsedBody })).status).toBe(201)
    }
    const cyclic: Record<string, unknown> = { ...GOOD }
    cyclic.metadata = { cyclic }
    for (const parsedBody of [
      cyclic,
      { ...GOOD, metadata: new Map() },
      { ...GOOD, metadata: { at: new Date() } },
      { ...GOOD, metadata: { n: 1n } },
    ]) {
      expect((await call('POST', '/', { actor: superadmin, parsedBody })).status).toBe(400)
    }
  })
})

describe('queries', () => {
  const LIMITS = ['0', '-1', '1e9', '1000000000', 'NaN', '1.5', '', ' 5', '0x10', '٣', 'null', '01', '1001', '99999999999999999999']
  it.each(LIMITS)('the API rejects a limit of %j', async (limit) => {
    const h = harness()
    const { id } = await h.create(admin)
    for (const path of ['/', '/events', `/${id}/events`]) {
      await refused(h, 'GET', `${path}?limit=${encodeURIComponent(limit)}`, {}, 400, '#/limit')
    }
  })

  const PARAMETERS = [
    ['status', 'status=live'],
    ['status', 'status='],
    ['status', 'status[]=active'],
    ['limit', 'limit=1&limit=2'],
    ['name', 'name=a&name=b'],
    ['tenantId', 'tenantId=a&tenantId=b'],
    ['tenantId', 'tenantId='],
    ['neverUsed', 'neverUsed=1'],
    ['ids', 'ids='],
    ['ids', 'ids=AAAAAAAAAAAAAAAA,BBBBBBBBBBBBBBBB'],
    ['unusedFor', 'unusedFor=-5'],
    ['expiresWithin', 'expiresWithin=999999999999'],
    ['tokenId', 'tokenId=AAAAAAAAAAAAAAAA'],
    ['__proto__', '__proto__=x'],
    ['constructor', 'constructor=x'],
    ['access_token', 'access_token=x'],
  ] as const
  it.each(PARAMETERS)('the API rejects an invalid %s (%s)', async (name, query) => {
    const h = harness()
    const answer = await h.call('GET', `/?${query}`, { actor: superadmin })
    expectProblem(answer, 400)
    expect(answer.body.errors[0]).toMatchObject({ in: 'query', pointer: expect.stringContaining(encodeURIComponent(name)) })
  })

  it('the API rejects query parameters on routes that take none', async () => {
    const h = harness()
    const { id } = await h.create(admin)
    await refused(h, 'GET', `/${id}?limit=1`, {}, 400, '#/limit')
    await refused(h, 'POST', '/?name=x', { body: GOOD }, 400, '#/name')
    await refused(h, 'GET', `/${id}/usage?from=yesterday`, {}, 400, '#/from')
    await refused(h, 'GET', `/${id}/usage?from=2030-01-02T00:00:00Z&to=2030-01-01T00:00:00Z`, {}, 400, '#/from')
    await refused(h, 'GET', '/events?action=drop', {}, 400, '#/action')
  })

  it('the API rejects cursors that are truncated, altered, made up, or from a different query or actor', async () => {
    const h = harness()
    for (let made = 0; made < 4; made += 1) await h.create(admin)
    const first = await h.call('GET', '/?limit=1&tenantId=acme', { actor: superadmin })
    const { nextCursor } = first.body
    const flipped = [...nextCursor].map((char, at) => `${nextCursor.slice(0, at)}${char === '1' ? '2' : '1'}${nextCursor.slice(at + 1)}`)
    const cut = [1, 5, nextCursor.length - 1].map((length) => nextCursor.slice(0, length))
    for (const cursor of [...flipped, ...cut, `${nextCursor}x`, 'x', '%00', 'null', 'a'.repeat(2000)]) {
      await refused(h, 'GET', `/?limit=1&tenantId=acme&cursor=${encodeURIComponent(cursor)}`, {}, 400, '#/cursor')
    }
    await refused(h, 'GET', `/?limit=1&cursor=${nextCursor}`, {}, 400, '#/cursor')
    await refused(h, 'GET', `/?tenantId=bolt&cursor=${nextCursor}`, {}, 400, '#/cursor')
    await refused(h, 'GET', `/events?tenantId=acme&cursor=${nextCursor}`, {}, 400, '#/cursor')
    await refused(h, 'GET', `/?tenantId=acme&cursor=${nextCursor}`, { actor: admin }, 400, '#/cursor')
    expect((await h.call('GET', `/?limit=2&tenantId=acme&cursor=${nextCursor}`, { actor: superadmin })).body.items).toHaveLength(2)
  })
})
