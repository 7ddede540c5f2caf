import { createHmac, sign as signBytes } from 'node:crypto'
import { base64url, type JWTPayload, SignJWT } from 'jose'
import { accept, foreignTokens, generateSigningKey, jwks, verifySigned } from 'latchkey/jwt'
import { authenticate } from 'latchkey/web'
import { describe, expect, it, vi } from 'vitest'
import { keyPair } from '../../support/keys.js'
import { createGateway, ISSUER } from './support.js'

const _system = { actor: 'system' } as const
const part = (value: unknown): string => base64url.encode(typeof value === 'string' ? value : JSON.stringify(value))

/** Signs any header and payload with the gateway's key, as only the key's owner could. */
const forge = async () => {
  const { privateKey, publicKey } = keyPair('P-256')
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256' } as never
  const service = verifySigned({ issuer: ISSUER, audience: 'stock', keys: { keys: [publicJwk] } })
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: ISSUER,
    sub: 'u7',
    client_id: 'u7',
    aud: 'stock',
    iat: now,
    exp: now + 60,
    jti: 'j1',
    scope: 'inventory:read',
    parent: 'p1',
    name: 'ERP',
  }
  const token = (header: object, payload: unknown): string => {
    const input = `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'k1', ...header })}.${part(payload)}`
    return `${input}.${base64url.encode(signBytes('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }))}`
  }
  return { service, claims, token, publicKey, now }
}

describe('a signed token', () => {
  it('a signed token yields the same principal as the API token, offline and with one fetch of the keys', async () => {
    const { create, signed, service, fetches } = await createGateway()
    const { token, record } = await create({ ownerId: 'u7', resources: { warehouse: ['w1'] } })
    const text = await signed(token)
    const verifier = service()
    const answers = await Promise.all(Array.from({ length: 50 }, () => verifier.verify(text)))
    for (const answer of answers) {
      if (!answer.ok) throw new Error(answer.code)
      expect({ ...answer.principal }).toEqual({
        kind: 'signed',
        tokenId: record.id,
        name: 'ERP',
        tenantId: 'acme',
        ownerId: 'u7',
        scopes: ['inventory:read', 'inventory:write'],
        resources: { warehouse: ['w1'] },
      })
      expect(answer.principal.allows('inventory:read', { warehouse: 'w1' })).toBe(true)
      expect(answer.principal.allows('inventory:read', { warehouse: 'w2' })).toBe(false)
      expect(answer.principal.allows('billing:read')).toBe(false)
    }
    expect(fetches()).toBe(1)
  })

  it('a signed token is valid only for its audience and until its expiry', async () => {
    let now = Date.now()
    const { create, signed, service } = await createGateway({ clock: () => now })
    const text = await signed((await create()).token)
    expect(await service({ audience: 'billing' }).verify(text)).toEqual({ ok: false, code: 'token_unknown' })
    now += 299_000
    expect((await service().verify(text)).ok).toBe(true)
    now += 1000
    expect(await service().verify(text)).toEqual({ ok: false, code: 'token_expired' })
  })

  it('revoking the parent ends a signed token immediately for a strict service, and at its expiry elsewhere', async () => {
    const { create, signed, service, tokens } = await createGateway()
    const { token, record } = await create()
    const text = await signed(token)
    const [strict, lenient] = [service({ strict: tokens }), service()]
    expect((await strict.verify(text)).ok).toBe(true)
    await tokens.system.revoke(record.id)
    expect(await strict.verify(text)).toEqual({ ok: false, code: 'token_revoked' })
    expect((await lenient.verify(text)).ok).toBe(true)
    // Only this token's parent was revoked; a token signed for another parent still works.
    expect(await strict.verify(await signed((await create()).token))).toMatchObject({ ok: true })
  })

  it("a signed token's signal fires when the clock breaks, without crashing the process", async () => {
    let broken = false
    const clock = (): number => {
      if (broken) throw new Error('the clock is broken')
      return Date.now()
    }
    const { service, signed, create } = await createGateway({ expiresIn: 60 })
    const answer = await service({ clock }).verify(await signed((await create()).token))
    if (!answer.ok) throw new Error(answer.code)
    vi.useFakeTimers()
    try {
      const { signal } = answer.principal
      broken = true
      await vi.advanceTimersByTimeAsync(61_000)
      expect(signal.aborted).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })

  it("a signed token's signal fires at its expiry", async () => {
    const { service, claims, token, now } = await forge()
    const answer = await service.verify(token({}, { ...claims, exp: now + 3 }))
    if (!answer.ok) throw new Error(answer.code)
    const { signal } = answer.principal
    expect(signal.aborted).toBe(false)
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    expect(signal.aborted).toBe(true)
  })
})

describe('RFC 9068 §4 and RFC 8725: rejected tokens', () => {
  const header: [string, object][] = [
    ['alg none', { alg: 'none' }],
    ['alg None', { alg: 'None' }],
    ['alg NONE', { alg: 'NONE' }],
    ['alg nOnE', { alg: 'nOnE' }],
    ['a different alg', { alg: 'ES384' }],
    ['no alg', { alg: undefined }],
    ['a list as alg', { alg: ['ES256'] }],
    ['typ JWT', { typ: 'JWT' }],
    ['no typ', { typ: undefined }],
    ['an embedded jwk', { jwk: { kty: 'EC' } }],
    ['jku', { jku: 'https://evil.example' }],
    ['x5u', { x5u: 'https://evil.example' }],
    ['x5c', { x5c: [] }],
    ['crit', { crit: ['exp'] }],
    ['zip', { zip: 'DEF' }],
    ['b64', { b64: false }],
    ['a kid that is a path', { kid: '../../dev/null' }],
    ['a kid that is a query', { kid: "x' OR 1=1 --" }],
    ['a kid that is an object', { kid: { a: 1 } }],
  ]
  it.each(header)('a token with %s in its header is rejected even when signed with the right key', async (_, change) => {
    const { service, claims, token } = await forge()
    expect((await service.verify(token(change, claims))).ok).toBe(false)
  })

  const payload: [string, (claims: Record<string, unknown>, now: number) => unknown][] = [
    ...['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'parent'].map(
      (name): [string, (c: Record<string, unknown>) => unknown] => [`no ${name}`, ({ [name]: _, ...rest }) => rest],
    ),
    ['another iss', (claims) => ({ ...claims, iss: `${ISSUER}/` })],
    ['another aud', (claims) => ({ ...claims, aud: ['other'] })],
    ['an empty aud', (claims) => ({ ...claims, aud: [] })],
    ['exp as a string', (claims, now) => ({ ...claims, exp: String(now + 60) })],
    ['exp as a list', (claims, now) => ({ ...claims, exp: [now + 60] })],
    ['exp as null', (claims) => ({ ...claims, exp: null })],
    ['exp of 1e999', (claims) => JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999')],
    ['exp of NaN', (claims) => JSON.stringify(claims).replace(/"exp":\d+/, '"exp":NaN')],
    ['exp in milliseconds', (claims, now) => ({ ...claims, exp: (now + 60) * 1e6 })],
    ['exp twice', (claims, now) => JSON.stringify(claims).replace('{', `{"exp":${now + 9999},`)],
    ['scope twice', (claims) => JSON.stringify(claims).replace('{', '{"scope":"inventory:write",')],
    ['iat in the future', (claims, now) => ({ ...claims, iat: now + 30 })],
    ['nbf in the future', (claims, now) => ({ ...claims, nbf: now + 30 })],
    ['a tenant that is a number', (claims) => ({ ...claims, tenant_id: 7 })],
    ['a tenant that is null', (claims) => ({ ...claims, tenant_id: null })],
    ['an owner that is a list', (claims) => ({ ...claims, owner_id: ['u7'] })],
    ['malformed resources', (claims) => ({ ...claims, resources: { warehouse: 'w1' } })],
    ['a list as its payload', () => []],
    ['invalid JSON as its payload', () => '{'],
  ]
  it.each(payload)('a token with %s is rejected even when signed with the right key', async (_, change) => {
    const { service, claims, token, now } = await forge()
    expect((await service.verify(token({}, change(claims, now)))).ok).toBe(false)
    expect((await service.verify(token({}, claims))).ok).toBe(true)
  })

  it('an HS256 token that uses the public key as its secret is rejected, whether PEM, DER or JWK', async () => {
    const { service, claims, publicKey } = await forge()
    for (const secret of [
      publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(publicKey.export({ format: 'jwk' })),
    ]) {
      const input = `${part({ alg: 'HS256', typ: 'at+jwt', kid: 'k1' })}.${part(claims)}`
      const text = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
      expect((await service.verify(text)).ok).toBe(false)
    }
  })

  it('a token with a changed character or no signature, and anything that is not a JWT, is rejected', async () => {
    const { service, claims, token } = await forge()
    const text = token({}, claims)
    const [head, body, signature = ''] = text.split('.')
    const sample = Array.from({ length: 60 }, (_, at) => Math.floor((at * text.length) / 60))
    for (const at of sample) {
      const other = text[at] === 'A' ? 'B' : 'A'
      const answer = await service.verify(text.slice(0, at) + other + text.slice(at + 1))
      // The last character of a part may carry unused bits, so another spelling can decode to the same token.
      if (answer.ok) expect([(head ?? '').length - 1, (head ?? '').length + (body ?? '').length, text.length - 1]).toContain(at)
    }
    for (const junk of [`${head}.${body}.`, `${head}.${body}`, `..`, '', 'a.b.c', `${text}.x`, signature, 7, null, undefined, {}]) {
      expect((await service.verify(junk as string)).ok).toBe(false)
    }
  })

  it('a token signed with an unpublished key is rejected, and unknown key IDs cost one fetch', async () => {
    const { create, service, fetches } = await createGateway()
    const stranger = await createGateway()
    const text = await stranger.signed((await stranger.create()).token)
    const verifier = service()
    const answers = await Promise.all(Array.from({ length: 30 }, () => verifier.verify(text)))
    expect(new Set(answers.map((answer) => answer.ok))).toEqual(new Set([false]))
    expect(fetches()).toBe(1)
    await create()
  })
})

describe("an issuer's keys", () => {
  it('verification needs one successful fetch of the keys, and then continues during an outage of the issuer', async () => {
    const { create, signed, publish } = await createGateway()
    const text = await signed((await create()).token)
    let down = true
    const verifier = verifySigned({
      issuer: ISSUER,
      audience: 'stock',
      keys: { url: `${ISSUER}/jwks` },
      fetch: async (url) => {
        if (down) throw new TypeError('fetch failed')
        return publish(new Request(url))
      },
    })
    await expect(verifier.verify(text)).rejects.toMatchObject({ code: 'store_unavailable' })
    down = false
    const other = verifySigned({
      issuer: ISSUER,
      audience: 'stock',
      keys: { url: `${ISSUER}/jwks` },
      fetch: async (url) => publish(new Request(url)),
    })
    expect((await other.verify(text)).ok).toBe(true)
    down = true
    expect((await other.verify(text)).ok).toBe(true)
  })

  it('tokens signed with the old key stay valid while it is published', async () => {
    const [old, next] = [await generateSigningKey(), await generateSigningKey('EdDSA')]
    const before = await createGateway({ key: old })
    const text = await before.signed((await before.create()).token)
    const publish = jwks([next, old])
    const verifier = before.service({ fetch: async (url) => publish(new Request(url)) })
    expect((await verifier.verify(text)).ok).toBe(true)
    const after = await createGateway({ key: next })
    expect((await verifier.verify(await after.signed((await after.create()).token))).ok).toBe(true)
    const gone = jwks([next])
    expect((await before.service({ fetch: async (url) => gone(new Request(url)) }).verify(text)).ok).toBe(false)
  })

  it('configured keys that are too weak are rejected at startup', () => {
    const weak = keyPair({ rsaBits: 1024 }).publicKey.export({ format: 'jwk' }) as never
    const rules = { issuer: ISSUER, audience: 'stock', algorithms: ['RS256', 'HS256'], principal: () => null }
    expect(() => foreignTokens({ ...rules, keys: { keys: [weak] } })).toThrow(/2048 bits/)
    expect(() => foreignTokens({ ...rules, keys: { keys: [{ kty: 'oct', k: base64url.encode('short') }] } })).toThrow(/256/)
  })
})

describe('one middleware for all kinds of tokens', () => {
  it('accept() combines API tokens, signed tokens and identity provider tokens, and verifies each by its own rules', async () => {
    const { tokens, create, signed, service } = await createGateway()
    const { privateKey, publicKey } = keyPair({ rsaBits: 2048 })
    const provider = 'https://tenant.idp.example/'
    const fetch = async (url: string): Promise<Response> =>
      url === `${provider}.well-known/openid-configuration`
        ? Response.json({ issuer: provider, jwks_uri: `${provider}keys` })
        : Response.json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'r1', alg: 'RS256' }] })
    const people = foreignTokens({
      issuer: provider,
      audience: 'stock',
      keys: 'discover',
      fetch,
      principal: ({ sub, permissions }) =>
        sub === 'gone' ? null : { tokenId: String(sub), name: String(sub), scopes: Array.isArray(permissions) ? permissions : [] },
    })
    const all = accept(tokens, service(), people)
    const person = (claims: JWTPayload): Promise<string> =>
      new SignJWT({ permissions: ['inventory:read'], ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'r1', typ: 'JWT' })
        .setIssuer(provider)
        .setAudience('stock')
        .setIssuedAt()
        .setExpirationTime('1m')
        .sign(privateKey)
    const who = async (text: string) => {
      const { principal, response } = await authenticate(
        all as never,
        new Request('https://api.example/stock', { headers: { authorization: `Bearer ${text}` } }),
        {},
      )
      return principal?.name ?? response?.status
    }
    const { token } = await create()
    expect(await who(token)).toBe('ERP')
    expect(await who(await signed(token))).toBe('ERP')
    expect(await who(await person({ sub: 'ada' }))).toBe('ada')
    expect(await who(await person({ sub: 'gone' }))).toBe(401)
    expect(await who('junk.junk.junk')).toBe(401)
    // The provider's key must not be able to sign for the gateway's issuer.
    const crossed = await new SignJWT({ sub: 'x', jti: 'j', scope: 'inventory:write', parent: 'p', client_id: 'c' })
      .setProtectedHeader({ alg: 'RS256', kid: 'r1', typ: 'at+jwt' })
      .setIssuer(ISSUER)
      .setAudience('stock')
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey)
    expect(await who(crossed)).toBe(401)
  })

  it.each([
    ['a tenant', { tenantId: undefined }],
    ['a well-formed tenant', { tenantId: 5 }],
    ['resources', { resources: undefined }],
    ['well-formed resources', { resources: { warehouse: 'w1' } }],
    ['addresses', { allowedIps: undefined }],
    ['scopes', { scopes: undefined }],
    ['the list of scopes', { scopes: 'inventory:read' }],
    ['a name', { name: '' }],
  ])('a foreign token gets a 503 when the principal callback loses %s', async (_name, lost) => {
    const { privateKey, publicKey } = keyPair({ rsaBits: 2048 })
    const faults: string[] = []
    const make = (more: object) =>
      foreignTokens({
        issuer: 'https://idp.example',
        audience: 'stock',
        keys: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'r1', alg: 'RS256' }] },
        principal: ({ sub }) => ({ tokenId: String(sub), name: 'Ada', scopes: ['inventory:read'], ...more }),
        onError: ({ where }) => faults.push(where),
        logger: false,
      })
    const token = await new SignJWT({ sub: 'ada' })
      .setProtectedHeader({ alg: 'RS256', kid: 'r1', typ: 'JWT' })
      .setIssuer('https://idp.example')
      .setAudience('stock')
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey)
    const request = new Request('https://api.example/stock', { headers: { authorization: `Bearer ${token}` } })
    const whole = { tenantId: 'acme', resources: { warehouse: ['w1'] } }
    const { principal } = await authenticate(make(whole) as never, request.clone(), {})
    expect(principal).toMatchObject({ kind: 'foreign', tokenId: 'ada', ...whole })
    const { response } = await authenticate(make(lost) as never, request.clone(), {})
    expect([response?.status, faults]).toEqual([503, ['foreign']])
  })

  it('accept() accepts only verifiers that declare their issuer', async () => {
    const { tokens, service } = await createGateway()
    const refused = expect.objectContaining({ code: 'invalid_input' })
    expect(() => accept(tokens, service())).not.toThrow()
    expect(() => accept(service())).not.toThrow()
    for (const other of [tokens, accept(tokens, service()), { issuer: 'https://forged.example', verify: async () => ({ ok: true }) }]) {
      expect(() => Reflect.apply(accept, undefined, [tokens, other])).toThrow(refused)
    }
    expect(() => Reflect.apply(accept, undefined, [{ verify: async () => ({ ok: true }) }])).toThrow(refused)
  })

  it('accept() rejects two verifiers for the same issuer', async () => {
    const { tokens, service } = await createGateway()
    expect(() => accept(tokens, service(), service())).toThrow(expect.objectContaining({ field: 'verifiers' }))
  })
})
