import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { latchkey } from 'latchkey'
import { exchange, generateSigningKey, jwks, signingKey } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import * as oauth from 'oauth4webapi'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { keyPair } from '../../support/keys.js'
import { ACCESS_TOKEN, createGateway, GRANT, ISSUER } from './support.js'

const _system = { actor: 'system' } as const

describe('the exchange (RFC 8693)', () => {
  it('§2.2.1 the exchange issues a token for one audience with the type and claims of RFC 9068 §2', async () => {
    const now = 1_800_000_000_500
    const { ask, create, key } = await createGateway({ clock: () => now })
    const { token, record } = await create({ ownerId: 'u7', resources: { warehouse: ['w1', 'w2'] } })
    const response = await ask(token, { scope: 'inventory:read', resources: '{"warehouse":["w1"]}' })
    expect(response.headers.get('cache-control')).toBe('no-store')
    const body = (await response.json()) as Record<string, unknown>
    expect(body).toMatchObject({ issued_token_type: ACCESS_TOKEN, token_type: 'Bearer', expires_in: 300, scope: 'inventory:read' })
    const signed = String(body.access_token)
    expect(decodeProtectedHeader(signed)).toEqual({ alg: 'ES256', kid: key.kid, typ: 'at+jwt' })
    expect(decodeJwt(signed)).toEqual({
      iss: ISSUER,
      sub: 'owner:acme:u7',
      client_id: `token:${record.id}`,
      aud: 'stock',
      iat: 1_800_000_000,
      exp: 1_800_000_300,
      jti: expect.stringMatching(/^[0-9A-Za-z]{16}$/),
      scope: 'inventory:read',
      parent: record.id,
      name: 'ERP',
      tenant_id: 'acme',
      owner_id: 'u7',
      resources: { warehouse: ['w1'] },
    })
  })

  it('an exchanged token never outlives its parent', async () => {
    const now = 1_800_000_000_000
    const { ask, create } = await createGateway({ clock: () => now })
    expect(await (await ask((await create({ expiresIn: 42 })).token)).json()).toMatchObject({ expires_in: 42 })
    expect((await ask((await create({ expiresAt: now + 900 })).token)).status).toBe(400)
  })

  it.each([
    ['another scope', { scope: 'inventory:read billing:read' }, 'invalid_scope'],
    ['another audience', { audience: 'elsewhere' }, 'invalid_target'],
    ['an RFC 8707 resource', { resource: 'https://stock.example' }, 'invalid_target'],
    ['wider resources', { resources: '{"warehouse":["w1","w9"]}' }, 'invalid_request'],
    ['resources that omit a dimension', { resources: '{}' }, 'invalid_request'],
    ['malformed resources', { resources: '[' }, 'invalid_request'],
    ['another grant type', { grant_type: 'client_credentials' }, 'unsupported_grant_type'],
    ['another subject token type', { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }, 'invalid_request'],
    ['another requested token type', { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
    ['an actor token', { actor_token: 'x' }, 'invalid_request'],
    ['an actor token type without an actor token (§2.1)', { actor_token_type: 'urn:ietf:params:oauth:token-type:jwt' }, 'invalid_request'],
  ])('§2.2.2 the exchange rejects %s', async (_, more, error) => {
    const { ask, create } = await createGateway()
    const { token } = await create({ resources: { warehouse: ['w1'] } })
    const response = await ask(token, more)
    expect([response.status, await response.json()]).toMatchObject([400, { error }])
  })

  it('§2.2.2 the exchange rejects an invalid subject token and a repeated parameter', async () => {
    const { ask, create, tokens } = await createGateway()
    const { token, record } = await create()
    expect((await ask(token, [['audience', 'stock']])).status).toBe(400)
    expect((await ask('junk')).status).toBe(400)
    await tokens.system.revoke(record.id)
    expect(await (await ask(token)).json()).toMatchObject({ error: 'invalid_request' })
  })

  it('a form that is too large is answered with 413, which names the limit of this endpoint', async () => {
    const gateway = await createGateway()
    const { token } = await gateway.create()
    const response = await gateway.ask(token, { padding: 'x'.repeat(40_000) })
    expect([response.status, ((await response.json()) as { detail: string }).detail]).toEqual([
      413,
      'forms of up to 32768 bytes are accepted',
    ])
  })

  it('the exchange answers 503 when the store is unavailable', async () => {
    const store = memoryStore()
    const { token } = await latchkey({ prefix: 'acme_live', store, scopes: { a: 'b' } }).system.create({ name: 'x', scopes: ['a'] })
    const tokens = latchkey({ prefix: 'acme_live', store: { ...store, find: () => Promise.reject(null) }, scopes: { a: 'b' } })
    const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [await generateSigningKey()] })
    const body = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
    expect((await buy(new Request(ISSUER, { method: 'POST', body }))).status).toBe(503)
  })

  it('the exchange answers 429 when the API token has reached its rate limit', async () => {
    const tokens = latchkey({
      prefix: 'acme_live',
      store: memoryStore(),
      scopes: { a: 'b' },
      rateLimit: {
        limits: [{ name: 'token', by: 'token', limiter: new RateLimiterMemory({ points: 1, duration: 60 }) }],
        onFailure: 'refuse',
      },
    })
    const { token } = await tokens.system.create({ name: 'x', scopes: ['a'] })
    const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [await generateSigningKey()] })
    const body = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
    const ask = () => buy(new Request(ISSUER, { method: 'POST', body }))
    expect((await ask()).status).toBe(200)
    const limited = await ask()
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '60'])
  })

  it('the exchange works with a real OAuth client library', async () => {
    const { ask, create } = await createGateway()
    const { token } = await create()
    const as: oauth.AuthorizationServer = { issuer: ISSUER, token_endpoint: `${ISSUER}/token` }
    const client: oauth.Client = { client_id: 'gateway' }
    const response = await oauth.genericTokenEndpointRequest(
      as,
      client,
      oauth.None(),
      GRANT,
      new URLSearchParams({ subject_token: token, subject_token_type: ACCESS_TOKEN, audience: 'stock' }),
      {
        [oauth.customFetch]: (_url: string, init: { body?: unknown }) =>
          ask(token, Object.fromEntries(new URLSearchParams(String(init.body)))),
      },
    )
    expect(await oauth.processGenericTokenEndpointResponse(as, client, response)).toMatchObject({ token_type: 'bearer', expires_in: 300 })
  })

  it('another JOSE implementation verifies exchanged tokens', async () => {
    const { signed, create, key } = await createGateway()
    const text = await signed((await create()).token)
    const pem = createPublicKey({ key: key.publicJwk as never, format: 'jwk' })
    expect(jsonwebtoken.verify(text, pem, { algorithms: ['ES256'], issuer: ISSUER, audience: 'stock' })).toMatchObject({ name: 'ERP' })
  })
})

describe('signing keys', () => {
  it("signing works with a local key and with a key management service's callback", async () => {
    const { privateKey, publicKey } = keyPair('P-256')
    const given = await signingKey({ jwk: privateKey.export({ format: 'jwk' }) as never, kid: 'given' })
    const managed = await signingKey({
      publicJwk: publicKey.export({ format: 'jwk' }) as never,
      kid: 'managed',
      sign: (bytes) =>
        sign('sha256', bytes, { key: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })), dsaEncoding: 'ieee-p1363' }),
    })
    for (const key of [given, managed, await generateSigningKey('EdDSA')]) {
      const { signed, create, service } = await createGateway({ key })
      expect(await service().verify(await signed((await create()).token))).toMatchObject({ ok: true })
      expect(key.publicJwk).not.toHaveProperty('d')
    }
  })

  it('the exchange answers 503 when the signing callback throws or returns an invalid value', async () => {
    const { publicJwk } = await generateSigningKey()
    for (const bad of [() => Promise.reject(undefined), () => new Uint8Array(3), () => 'x']) {
      const { ask, create } = await createGateway({ key: await signingKey({ publicJwk, sign: bad as never }) })
      expect((await ask((await create()).token)).status).toBe(503)
    }
  })

  it('signingKey() rejects unsupported and incomplete keys', async () => {
    const rsa = await exportJWK((await generateKeyPair('RS256', { extractable: true })).privateKey)
    await expect(signingKey({ jwk: rsa })).rejects.toMatchObject({ code: 'invalid_input' })
    const { x: _, ...cut } = (await generateSigningKey()).publicJwk
    await expect(signingKey({ publicJwk: cut, sign: async () => new Uint8Array(64) })).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(signingKey({ jwk: (await generateSigningKey()).publicJwk })).rejects.toMatchObject({ code: 'invalid_input' })
  })
})

describe('jwks()', () => {
  it('jwks() refuses values that are not signing keys, and a key whose public part contains the private one', async () => {
    const key = await generateSigningKey()
    const full = { ...key, publicJwk: { ...key.publicJwk, d: key.publicJwk.x } }
    for (const keys of [[], undefined, key, [generateSigningKey()], [undefined], [key, key.publicJwk], [full]]) {
      expect(() => jwks(keys as never)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    }
  })

  it('jwks() mounted without an adapter reports how to mount it', async () => {
    const faults: string[] = []
    const lines: string[] = []
    const publish = jwks([await generateSigningKey()], {
      onError: ({ where, error }) => faults.push(`${where}: ${error.code}: ${error.message}`),
      logger: { error: (line) => lines.push(line) },
    })
    expect((await publish({ method: 'GET', headers: {} } as never)).status).toBe(503)
    expect(faults).toEqual([
      expect.stringContaining('endpoint: misconfigured: publishKeys was not called with a web Request: mount it with'),
    ])
    expect(lines).toHaveLength(1)
    expect((await publish(new Request('https://api.example/.well-known/jwks.json'))).status).toBe(200)
  })
})
