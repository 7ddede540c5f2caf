import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { latchkey } from 'latchkey'
import { exchange, generateSigningKey, signingKey } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import * as oauth from 'oauth4webapi'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { keyPair } from '../../support/keys.js'
import { ACCESS_TOKEN, createGateway, GRANT, ISSUER } from './support.js'

const _system = { actor: 'system' } as const

describe('the exchange (RFC 8693)', () => {
  it('§2.2.1 answers a token for one audience, of the type and with the claims of RFC 9068 §2', async () => {
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

  it('never outlives the parent', async () => {
    const now = 1_800_000_000_000
    const { ask, create } = await createGateway({ clock: () => now })
    expect(await (await ask((await create({ expiresIn: 42 })).token)).json()).toMatchObject({ expires_in: 42 })
    expect((await ask((await create({ expiresAt: now + 900 })).token)).status).toBe(400)
  })

  it.each([
    ['another scope', { scope: 'inventory:read billing:read' }, 'invalid_scope'],
    ['another audience', { audience: 'elsewhere' }, 'invalid_target'],
    ['a resource of RFC 8707', { resource: 'https://stock.example' }, 'invalid_target'],
    ['wider resources', { resources: '{"warehouse":["w1","w9"]}' }, 'invalid_request'],
    ['a dimension left open', { resources: '{}' }, 'invalid_request'],
    ['resources that are none', { resources: '[' }, 'invalid_request'],
    ['another grant', { grant_type: 'client_credentials' }, 'unsupported_grant_type'],
    ['another subject type', { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }, 'invalid_request'],
    ['another type in return', { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
    ['an actor token', { actor_token: 'x' }, 'invalid_request'],
    ['the type of an actor token alone (§2.1)', { actor_token_type: 'urn:ietf:params:oauth:token-type:jwt' }, 'invalid_request'],
  ])('§2.2.2 refuses %s', async (_, more, error) => {
    const { ask, create } = await createGateway()
    const { token } = await create({ resources: { warehouse: ['w1'] } })
    const response = await ask(token, more)
    expect([response.status, await response.json()]).toMatchObject([400, { error }])
  })

  it('§2.2.2 refuses a subject token that is not good, and a parameter that is sent twice', async () => {
    const { ask, create, tokens } = await createGateway()
    const { token, record } = await create()
    expect((await ask(token, [['audience', 'stock']])).status).toBe(400)
    expect((await ask('junk')).status).toBe(400)
    await tokens.system.revoke(record.id)
    expect(await (await ask(token)).json()).toMatchObject({ error: 'invalid_request' })
  })

  it('is 503 when the store cannot say', async () => {
    const store = memoryStore()
    const { token } = await latchkey({ prefix: 'acme_live', store, scopes: { a: 'b' } }).system.create({ name: 'x', scopes: ['a'] })
    const tokens = latchkey({ prefix: 'acme_live', store: { ...store, find: () => Promise.reject(null) }, scopes: { a: 'b' } })
    const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [await generateSigningKey()] })
    const body = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
    expect((await buy(new Request(ISSUER, { method: 'POST', body }))).status).toBe(503)
  })

  it('is 429 when the API token has used up its rate', async () => {
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

  it('talks to a real OAuth client library', async () => {
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

  it('signs what another implementation of JOSE verifies', async () => {
    const { signed, create, key } = await createGateway()
    const text = await signed((await create()).token)
    const pem = createPublicKey({ key: key.publicJwk as never, format: 'jwk' })
    expect(jsonwebtoken.verify(text, pem, { algorithms: ['ES256'], issuer: ISSUER, audience: 'stock' })).toMatchObject({ name: 'ERP' })
  })
})

describe('keys', () => {
  it('sign as given, or by a callback as a key management service has it', async () => {
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

  it('that hang, throw or answer nonsense are a 503', async () => {
    const { publicJwk } = await generateSigningKey()
    for (const bad of [() => Promise.reject(undefined), () => new Uint8Array(3), () => 'x']) {
      const { ask, create } = await createGateway({ key: await signingKey({ publicJwk, sign: bad as never }) })
      expect((await ask((await create()).token)).status).toBe(503)
    }
  })

  it('of other kinds are refused at start', async () => {
    const rsa = await exportJWK((await generateKeyPair('RS256', { extractable: true })).privateKey)
    await expect(signingKey({ jwk: rsa })).rejects.toMatchObject({ code: 'invalid_input' })
    const { x: _, ...cut } = (await generateSigningKey()).publicJwk
    await expect(signingKey({ publicJwk: cut, sign: async () => new Uint8Array(64) })).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(signingKey({ jwk: (await generateSigningKey()).publicJwk })).rejects.toMatchObject({ code: 'invalid_input' })
  })
})
