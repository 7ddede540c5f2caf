import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { latchkey } from 'latchkey'
import { exchange, foreignTokens, generateSigningKey, verifySigned } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, vi } from 'vitest'
import { signClaims } from '../../../src/extensions/jwt/sign.js'
import { deciderOf } from '../../../src/instance.js'
import { ACCESS_TOKEN, createGateway, GRANT, ISSUER } from './support.js'

const SCOPES = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }

/** A node that stops hearing of changes: for as long as its cache may be old, it goes by what it remembers. */
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
  // Until it goes by what it remembers.
  await vi.waitFor(async () => {
    expect((await tokens.verify(token)).ok).toBe(true)
    expect(deciderOf(tokens).decide(token)).not.toBeInstanceOf(Promise)
  })
  deaf = true
  const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [await generateSigningKey()] })
  const form = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
  return { other, tokens, token, record, ask: () => buy(new Request(`${ISSUER}/token`, { method: 'POST', body: form })) }
}

describe('what is exchanged', () => {
  it('is what the primary says, where this node has not heard of a revocation yet', async () => {
    const { other, tokens, token, record, ask } = await createDeafNode()
    await other.system.revoke(record.id)
    expect((await tokens.verify(token)).ok).toBe(true)
    const response = await ask()
    expect([response.status, await response.json()]).toMatchObject([400, { error: 'invalid_request' }])
  })

  it('has the scopes that the primary says', async () => {
    const { other, tokens, token, record, ask } = await createDeafNode()
    await other.system.update(record.id, { scopes: ['inventory:read'] })
    expect(await tokens.verify(token)).toMatchObject({ ok: true, principal: { scopes: ['inventory:read', 'inventory:write'] } })
    expect(await (await ask()).json()).toMatchObject({ scope: 'inventory:read' })
  })
})

describe('addresses', () => {
  const from = (ip?: string) => (ip === undefined ? undefined : { ip })

  it('travel in the signed token and hold where it is verified, with and without strict', async () => {
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
    ['a text', '192.0.2.0/24'],
    ['numbers', [1]],
    ['null', null],
  ])('that are %s refuse everybody', async (_, addresses) => {
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

  it('that the parent was given later hold on a strict service', async () => {
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
  it('narrows what is signed to the scopes and resources that the parent has now', async () => {
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

  it('never widens what is signed', async () => {
    const { tokens, signed, service, create } = await createGateway()
    const { token, record } = await create({ resources: { warehouse: ['w1'] }, scopes: ['inventory:read'] })
    const text = await signed(token)
    await tokens.system.update(record.id, { scopes: ['inventory:read', 'inventory:write'], resources: null })
    const answer = await service({ strict: tokens }).verify(text)
    if (!answer.ok) throw new Error(answer.code)
    expect(answer.principal.scopes).toEqual(['inventory:read'])
    expect(answer.principal.allows('inventory:read', { warehouse: 'w9' })).toBe(false)
  })

  it('asks what the owner may do now', async () => {
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

  it('ends an open stream with the parent', async () => {
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

describe('the longest life', () => {
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
    ['a day, of a foreign token', {}, 86_400],
    ['what maxLifetime says', { maxLifetime: '10m' as const }, 600],
  ])('is %s', async (_, more, longest) => {
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
  it('of two tenants, of an owner and of a token are never the same, whatever they are called', async () => {
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

describe('keys of an issuer', () => {
  it('go on where one of those that it publishes is too weak', async () => {
    const { signed, create, key, service } = await createGateway()
    const weak = { kty: 'RSA', kid: 'weak', alg: 'RS256', e: 'AQAB', n: Buffer.alloc(128, 255).toString('base64url') }
    const verifier = service({ fetch: () => Promise.resolve(Response.json({ keys: [weak, key.publicJwk] })) })
    expect((await verifier.verify(await signed((await create()).token))).ok).toBe(true)
  })

  it('of which none can be used are "cannot decide"', async () => {
    const { signed, create, service } = await createGateway()
    const symmetric = { kty: 'oct', kid: 'k', k: Buffer.alloc(64, 1).toString('base64url') }
    const verifier = service({ fetch: () => Promise.resolve(Response.json({ keys: [symmetric] })) })
    await expect(verifier.verify(await signed((await create()).token))).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it.each(['http://auth.example/jwks', 'http://localhost.evil.example/jwks', 'file:///etc/passwd', 'data:application/json,{}', '/jwks'])(
    'are not fetched from %s',
    (url) => {
      expect(() => verifySigned({ issuer: ISSUER, audience: 'stock', keys: { url } })).toThrow(
        expect.objectContaining({ code: 'invalid_input', issues: [expect.objectContaining({ path: expect.anything() })] }),
      )
    },
  )

  it.each(['http://localhost:8080/jwks', 'http://127.0.0.1/jwks', 'http://[::1]:1/jwks'])('may be fetched from %s, this machine', (url) => {
    expect(() => verifySigned({ issuer: ISSUER, audience: 'stock', keys: { url } })).not.toThrow()
  })
})
