import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { latchkey } from 'latchkey'
import { exchange, foreignTokens, generateSigningKey, verifySigned } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { signClaims } from '../../../src/extensions/jwt/sign.js'
import { createGuard } from '../../../src/http/authenticate.js'
import type { RequestLike } from '../../../src/http/request.js'
import { createScopeCheck } from '../../../src/http/require-scopes.js'
import { deciderOf } from '../../../src/instance.js'
import { ACCESS_TOKEN, createGateway, GRANT, ISSUER } from './support.js'

const SCOPES = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }

/** A node that stops receiving changes. While its cache is within the staleness bound, it answers from the cache. */
const createDeafNode = async () => {
  const store = memoryStore()
  const other = latchkey({ prefix: 'acme_live', store, scopes: SCOPES })
  let deaf = false
  const tokens = latchkey({
    prefix: 'acme_live',
    store: { ...store, changes: (...given) => (deaf ? new Promise(() => undefined) : store.changes(...given)) },
    scopes: SCOPES,
    cache: { maxStaleness: '60s' },
  })
  const { token, record } = await other.system.create({ name: 'ERP', scopes: ['inventory:read', 'inventory:write'] })
  // Wait until the node answers from its cache.
  await expect
    .poll(async () => {
      expect((await tokens.verify(token)).ok).toBe(true)
      return deciderOf(tokens).decide(token) instanceof Promise
    })
    .toBe(false)
  deaf = true
  const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [await generateSigningKey()] })
  const form = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
  return { other, tokens, token, record, ask: () => buy(new Request(`${ISSUER}/token`, { method: 'POST', body: form })) }
}

describe('exchanged tokens', () => {
  it('the exchange queries the primary, so it rejects a revoked token before this node has learned of the revocation', async () => {
    const { other, tokens, token, record, ask } = await createDeafNode()
    await other.system.revoke(record.id)
    expect((await tokens.verify(token)).ok).toBe(true)
    const response = await ask()
    expect([response.status, await response.json()]).toMatchObject([400, { error: 'invalid_request' }])
  })

  it('an exchanged token gets only the scopes that the primary reports', async () => {
    const { other, tokens, token, record, ask } = await createDeafNode()
    await other.system.update(record.id, { scopes: ['inventory:read'] })
    expect(await tokens.verify(token)).toMatchObject({ ok: true, principal: { scopes: ['inventory:read', 'inventory:write'] } })
    expect(await (await ask()).json()).toMatchObject({ scope: 'inventory:read' })
  })
})

describe('allowed IPs', () => {
  const from = (ip?: string) => (ip === undefined ? undefined : { ip })

  it('allowed IPs are signed into the token and enforced by the verifier, with and without strict', async () => {
    const { tokens, key, service, create } = await createGateway()
    const { token } = await create({ allowedIps: ['192.0.2.0/24'] })
    const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [key], ip: () => '192.0.2.7' })
    const form = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
    const answer = (await (await buy(new Request(`${ISSUER}/token`, { method: 'POST', body: form }))).json()) as { access_token: string }
    expect(decodeJwt(answer.access_token).allowed_ips).toEqual(['192.0.2.0/24'])
    for (const verifier of [service(), service({ strict: tokens })]) {
      expect(await verifier.verify(answer.access_token, from('192.0.2.9'))).toMatchObject({ ok: true })
      for (const ip of ['198.51.100.1', '', 'unknown', undefined])
        expect(await verifier.verify(answer.access_token, from(ip))).toEqual({ ok: false, code: 'ip_denied' })
    }
  })

  it.each([
    ['a string', '192.0.2.0/24'],
    ['numbers', [1]],
    ['null', null],
  ])('a signed token whose allowed IPs are %s is rejected from every address', async (_, addresses) => {
    const { key, tokens, service, create } = await createGateway()
    const { record } = await create()
    const now = Math.floor(Date.now() / 1000)
    const text = await signClaims(
      {
        iss: ISSUER,
        sub: 'x',
        client_id: 'x',
        aud: 'stock',
        iat: now,
        exp: now + 60,
        jti: 'j',
        scope: '',
        parent: record.id,
        allowed_ips: addresses,
      },
      key,
      { deadlineMs: 2000, report: () => undefined },
    )
    expect((await service({ strict: tokens }).verify(text, { ip: '192.0.2.1' })).ok).toBe(false)
    expect((await service().verify(text, { ip: '192.0.2.1' })).ok).toBe(false)
  })

  it('allowed IPs added to the parent later are enforced by a strict service', async () => {
    const { tokens, signed, service, create } = await createGateway()
    const { token, record } = await create()
    const text = await signed(token)
    await tokens.system.update(record.id, { allowedIps: ['192.0.2.1'] })
    expect(await service({ strict: tokens }).verify(text, { ip: '198.51.100.1' })).toEqual({ ok: false, code: 'ip_denied' })
    expect(await service({ strict: tokens }).verify(text, { ip: '192.0.2.1' })).toMatchObject({ ok: true })
    expect(await service().verify(text, { ip: '198.51.100.1' })).toMatchObject({ ok: true })
  })
})

describe('a strict service', () => {
  it("a strict service narrows a signed token to the parent's current scopes and resources", async () => {
    const { tokens, signed, service, create } = await createGateway()
    const { token, record } = await create({ resources: { warehouse: ['w1', 'w2'] } })
    const text = await signed(token)
    await tokens.system.update(record.id, { scopes: ['inventory:read'], resources: { warehouse: ['w2', 'w3'] } })
    const answer = await service({ strict: tokens }).verify(text)
    if (!answer.ok) throw new Error(answer.code)
    expect(answer.principal.scopes).toEqual(['inventory:read'])
    expect(answer.principal.allows('inventory:write', { warehouse: 'w2' })).toBe(false)
    expect(['w1', 'w2', 'w3'].filter((warehouse) => answer.principal.allows('inventory:read', { warehouse }))).toEqual(['w2'])
  })

  it('a strict service never widens a signed token', async () => {
    const { tokens, signed, service, create } = await createGateway()
    const { token, record } = await create({ resources: { warehouse: ['w1'] }, scopes: ['inventory:read'] })
    const text = await signed(token)
    await tokens.system.update(record.id, { scopes: ['inventory:read', 'inventory:write'], resources: null })
    const answer = await service({ strict: tokens }).verify(text)
    if (!answer.ok) throw new Error(answer.code)
    expect(answer.principal.scopes).toEqual(['inventory:read'])
    expect(answer.principal.allows('inventory:read', { warehouse: 'w9' })).toBe(false)
  })

  it("a strict service applies the owner's current permissions", async () => {
    const owners = new Map<string, { scopes: string[] } | null>([['u7', { scopes: ['inventory:read', 'inventory:write'] }]])
    const tokens = latchkey({
      prefix: 'acme_live',
      store: memoryStore(),
      scopes: SCOPES,
      owner: ({ ownerId }) => owners.get(ownerId) ?? null,
    })
    const key = await generateSigningKey()
    const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [key] })
    const { token } = await tokens.system.create({ name: 'ERP', ownerId: 'u7', scopes: ['inventory:*'] })
    const form = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
    const { access_token: text } = (await (await buy(new Request(`${ISSUER}/token`, { method: 'POST', body: form }))).json()) as {
      access_token: string
    }
    const strict = verifySigned({ issuer: ISSUER, audience: 'stock', keys: { keys: [key.publicJwk as never] }, strict: tokens })
    expect(await strict.verify(text)).toMatchObject({ ok: true, principal: { scopes: ['inventory:read', 'inventory:write'] } })
    owners.set('u7', { scopes: ['inventory:read'] })
    await tokens.system.ownerChanged({ ownerId: 'u7' })
    expect(await strict.verify(text)).toMatchObject({ ok: true, principal: { scopes: ['inventory:read'] } })
    owners.set('u7', null)
    await tokens.system.ownerChanged({ ownerId: 'u7' })
    expect(await strict.verify(text)).toEqual({ ok: false, code: 'owner_denied' })
  })

  it('a strict service aborts an open stream when the parent is revoked', async () => {
    const { tokens, signed, service, create } = await createGateway()
    const { token, record } = await create()
    const answer = await service({ strict: tokens }).verify(await signed(token))
    if (!answer.ok) throw new Error(answer.code)
    const { signal } = answer.principal
    expect(signal.aborted).toBe(false)
    const ended = new Promise((resolve) => signal.addEventListener('abort', resolve))
    await tokens.system.revoke(record.id)
    await ended
    expect(signal.aborted).toBe(true)
  })
})

describe('the maximum lifetime', () => {
  const claims = (now: number, seconds: number) => ({
    iss: 'https://idp.example',
    sub: 'p',
    aud: 'api',
    client_id: 'c',
    jti: 'j',
    iat: now,
    exp: now + seconds,
  })

  it.each([
    ['a day by default', {}, 86_400],
    ['set by maxLifetime', { maxLifetime: '10m' as const }, 600],
  ])('the maximum lifetime of a foreign token is %s', async (_, more, longest) => {
    const { privateKey, publicKey } = await generateKeyPair('RS256')
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256' }
    const verifier = foreignTokens({
      issuer: 'https://idp.example',
      audience: 'api',
      keys: { keys: [jwk as never] },
      principal: () => ({ tokenId: 'p', name: 'P', scopes: [] }),
      ...more,
    })
    const now = Math.floor(Date.now() / 1000)
    const sign = (seconds: number) =>
      new SignJWT(claims(now, seconds)).setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: 'k' }).sign(privateKey)
    expect((await verifier.verify(await sign(longest))).ok).toBe(true)
    expect(await verifier.verify(await sign(longest + 1))).toEqual({ ok: false, code: 'token_unknown' })
  })
})

describe('subjects', () => {
  it('tokens of different tenants, owners or IDs never share a subject, whatever their names are', async () => {
    const { signed, create } = await createGateway()
    const bare = await create({ tenantId: undefined })
    const made = [
      bare,
      await create({ tenantId: 'a', ownerId: 'bob' }),
      await create({ tenantId: 'b', ownerId: 'bob' }),
      await create({ tenantId: undefined, ownerId: 'bob' }),
      await create({ tenantId: 'a', ownerId: 'b:c' }),
      await create({ tenantId: 'a:b', ownerId: 'c' }),
      await create({ ownerId: bare.record.id }),
      await create({ ownerId: `token:${bare.record.id}` }),
    ]
    const said = await Promise.all(made.map(async ({ token }) => decodeJwt(await signed(token))))
    expect(new Set(said.map(({ sub }) => sub)).size).toBe(made.length)
    expect(new Set(said.map((claims) => claims.client_id)).size).toBe(made.length)
  })
})

describe("an issuer's keys", () => {
  it("an issuer's keys still work if one published key is too weak", async () => {
    const { signed, create, key, service } = await createGateway()
    const weak = { kty: 'RSA', kid: 'weak', alg: 'RS256', e: 'AQAB', n: Buffer.alloc(128, 255).toString('base64url') }
    const verifier = service({ fetch: () => Promise.resolve(Response.json({ keys: [weak, key.publicJwk] })) })
    expect((await verifier.verify(await signed((await create()).token))).ok).toBe(true)
  })

  it('verification rejects with store_unavailable if none of the published keys is usable', async () => {
    const { signed, create, service } = await createGateway()
    const symmetric = { kty: 'oct', kid: 'k', k: Buffer.alloc(64, 1).toString('base64url') }
    const verifier = service({ fetch: () => Promise.resolve(Response.json({ keys: [symmetric] })) })
    await expect(verifier.verify(await signed((await create()).token))).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it.each(['http://auth.example/jwks', 'http://localhost.evil.example/jwks', 'file:///etc/passwd', 'data:application/json,{}', '/jwks'])(
    'verifySigned() rejects the keys URL %s',
    (url) => {
      expect(() => verifySigned({ issuer: ISSUER, audience: 'stock', keys: { url } })).toThrow(
        expect.objectContaining({ code: 'invalid_input', issues: [expect.objectContaining({ path: expect.anything() })] }),
      )
    },
  )

  it.each(['http://localhost:8080/jwks', 'http://127.0.0.1/jwks', 'http://[::1]:1/jwks'])(
    'verifySigned() accepts the loopback keys URL %s',
    (url) => {
      expect(() => verifySigned({ issuer: ISSUER, audience: 'stock', keys: { url } })).not.toThrow()
    },
  )
})

describe('a route that names no resources', () => {
  it('a limited signed token passes no route without resources if the strict instance requires explicit resources', async () => {
    const store = memoryStore()
    const tokens = latchkey({ prefix: 'acme_live', store, scopes: SCOPES, resources: 'explicit' })
    const key = await generateSigningKey()
    const { token } = await tokens.system.create({ name: 'n', scopes: ['inventory:read'], resources: { warehouse: ['w1'] } })
    const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [key] })
    const form = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
    const answer = (await (await buy(new Request(`${ISSUER}/token`, { method: 'POST', body: form }))).json()) as { access_token: string }
    const keys = { keys: [key.publicJwk] }
    const asked = async (options: object) => {
      const verifier = verifySigned({ issuer: ISSUER, audience: 'stock', keys, ...options })
      const guard = createGuard<RequestLike>(verifier, {}, { read: (request) => request, trustsProxy: () => undefined })
      const headers = new Headers({ authorization: `Bearer ${answer.access_token}` })
      const request = { method: 'GET', headers, ip: undefined }
      expect((await guard(request)).principal?.kind).toBe('signed')
      return (await createScopeCheck<RequestLike>(['inventory:read'])(request))?.status
    }
    expect(await asked({ strict: tokens })).toBe(403)
    expect(await asked({})).toBeUndefined()
  })
})

it('the exchange refuses to issue a token that is too long for any service to read', async () => {
  const { create, ask } = await createGateway()
  const resources = { warehouse: Array.from({ length: 900 }, (_, at) => `warehouse-${at}`) }
  const { token } = await create({ resources })
  expect(await (await ask(token)).json()).toMatchObject({
    error: 'invalid_request',
    error_description: expect.stringContaining('too long'),
  })
  expect((await ask(token, { resources: JSON.stringify({ warehouse: ['warehouse-1'] }) })).status).toBe(200)
})
