import { type FaultReport, latchkey } from 'latchkey'
import { introspection, protectedResource, revocation, revocationByPossession, whoami } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import * as oauth from 'oauth4webapi'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

const INACTIVE = '{"active":false}'

type Owned = { scopes: string[]; resources?: { [dimension: string]: string[] } }

const createTokens = (options: { now?: () => number; owner?: () => Owned | null; onError?: (fault: FaultReport) => void } = {}) => {
  const { now, owner, onError } = options
  const tokens = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
    ...(now !== undefined && { clock: now }),
    ...(owner !== undefined && { owner }),
    ...(onError !== undefined && { onError, logger: false as const }),
  })
  const create = (more: object = {}) => tokens.system.create({ name: 'ERP', tenantId: 'acme', scopes: ['inventory:read'], ...more })
  return { tokens, create }
}

// Checks Basic credentials, as a host would.
const client = (request: Request) => {
  const [id, secret] = atob((request.headers.get('authorization') ?? '').replace(/^Basic /, '')).split(':')
  if (secret !== 'right') return undefined
  return { id: String(id), tenants: id === 'gateway' ? ('*' as const) : ['acme'] }
}

const form = (body: Record<string, string> | string, headers: Record<string, string> = {}): Request =>
  new Request('https://auth.example/oauth', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${btoa('gateway:right')}`, ...headers },
    body: typeof body === 'string' ? body : new URLSearchParams(body).toString(),
  })

describe('introspection (RFC 7662)', () => {
  it('§2.2 introspection describes an active token with times in whole seconds', async () => {
    const { tokens, create } = createTokens()
    const { token, record } = await create({
      ownerId: 'u7',
      expiresIn: 3600,
      resources: { warehouse: ['w1'] },
      allowedIps: ['10.0.0.0/8'],
    })
    const response = await introspection(tokens, { client, issuer: 'https://auth.example' })(form({ token, token_type_hint: 'anything' }))
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toEqual({
      active: true,
      iss: 'https://auth.example',
      scope: 'inventory:read',
      token_type: 'Bearer',
      client_id: `token:${record.id}`,
      sub: 'owner:acme:u7',
      jti: record.id,
      iat: Math.floor(record.createdAt.getTime() / 1000),
      exp: Math.floor((record.expiresAt?.getTime() ?? 0) / 1000),
      tenant_id: 'acme',
      resources: { warehouse: ['w1'] },
      allowed_ips: ['10.0.0.0/8'],
    })
  })

  it('§2.2 introspection gives the same response for every token that is invalid or not visible to the client', async () => {
    let now = Date.now()
    let owner: string[] | null = ['inventory:read']
    const { tokens, create } = createTokens({ now: () => now, owner: () => owner && { scopes: owner } })
    const introspect = introspection(tokens, { client })
    const good = await create({ ownerId: 'u7' })
    const ask = async (token: string, headers = {}) => await (await introspect(form({ token }, headers))).text()
    const revoked = await create()
    await tokens.system.revoke(revoked.record.id)
    const inactive = await create()
    await tokens.system.deactivate(inactive.record.id)
    const expired = await create({ expiresIn: 1 })
    const early = await create({ notBefore: now + 60_000 })
    now += 1000
    const globex = await create({ tenantId: 'globex' })
    const everywhere = await create({ tenantId: undefined })
    const wrongSecret = (await createTokens().create()).token
    const acmeOnly = { authorization: `Basic ${btoa('acme-gateway:right')}` }
    const answers = [
      ...(await Promise.all(
        [revoked.token, inactive.token, expired.token, early.token, wrongSecret, 'junk', '§'].map((token) => ask(token)),
      )),
      await ask(globex.token, acmeOnly),
      await ask(everywhere.token, acmeOnly),
    ]
    expect(new Set(answers)).toEqual(new Set([INACTIVE]))
    expect(JSON.parse(await ask(good.token))).toMatchObject({ active: true, scope: 'inventory:read' })
    owner = null
    expect(await ask(good.token)).toBe(INACTIVE)
  })

  it.each([
    ['is gone', () => null],
    [
      'cannot be looked up',
      () => {
        throw new Error('the directory is down')
      },
    ],
  ])('§2.2 introspection hides a token of another tenant whose owner %s, and does not ask for the owner', async (_, changed) => {
    let answer: () => Owned | null = () => ({ scopes: ['inventory:read'] })
    let asked = 0
    const owner = (): Owned | null => {
      asked += 1
      return answer()
    }
    const { tokens, create } = createTokens({ owner, onError: () => undefined })
    const { token } = await create({ tenantId: 'globex', ownerId: 'u7' })
    answer = changed
    asked = 0
    const introspect = introspection(tokens, { client })
    const acmeOnly = { authorization: `Basic ${btoa('acme-gateway:right')}` }
    // More calls than the budget for lookups of the departed owner of one token allows.
    for (let n = 0; n < 105; n += 1) {
      const response = await introspect(form({ token }, acmeOnly))
      expect([response.status, await response.text()]).toEqual([200, INACTIVE])
    }
    expect(asked).toBe(0)
  })

  it("introspection limits scopes to the owner's current scopes", async () => {
    const { tokens, create } = createTokens({ owner: () => ({ scopes: ['inventory:write'] }) })
    const { token } = await create({ ownerId: 'u7', scopes: ['inventory:*'] })
    expect(await (await introspection(tokens, { client })(form({ token }))).json()).toMatchObject({
      active: true,
      scope: 'inventory:write',
    })
  })

  it("introspection limits resources to the owner's current resources even when the token itself is unlimited", async () => {
    const { tokens, create } = createTokens({
      owner: () => ({ scopes: ['inventory:read'], resources: { warehouse: ['w1'], line: ['a'] } }),
    })
    const ask = introspection(tokens, { client })
    const { token: open } = await create({ ownerId: 'u7' })
    expect(await (await ask(form({ token: open }))).json()).toMatchObject({ resources: { warehouse: ['w1'], line: ['a'] } })
    const { token: limited } = await create({ ownerId: 'u7', resources: { warehouse: ['w1', 'w2'] } })
    expect(await (await ask(form({ token: limited }))).json()).toMatchObject({ resources: { warehouse: ['w1'], line: ['a'] } })
  })

  it('§2.1 introspection answers 401 with a challenge when client() does not return a valid client', async () => {
    const { tokens, create } = createTokens()
    const { token } = await create()
    for (const answer of [undefined, null, false, '', {}, { id: 'x' }, { id: '', tenants: '*' }, { id: 'x', tenants: 'acme' }]) {
      const response = await introspection(tokens, { client: () => answer as never })(form({ token }))
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toMatch(/^Basic /)
      expect(await response.json()).toMatchObject({ error: 'invalid_client' })
    }
  })

  it('an invalid result of client() is reported to the host, and an unknown client is not', async () => {
    const heard: FaultReport[] = []
    const { tokens, create } = createTokens({ onError: (fault) => heard.push(fault) })
    const { token } = await create()
    for (const answer of [undefined, null, false] as const) await introspection(tokens, { client: () => answer })(form({ token }))
    expect(heard).toEqual([])
    for (const answer of [{ id: 'x' }, { tenants: '*' }, { id: 'x', tenants: 'acme' }, { id: 'x', tenants: [7] }]) {
      expect((await introspection(tokens, { client: () => answer as never })(form({ token }))).status).toBe(401)
      expect(heard.splice(0)).toMatchObject([{ where: 'client', error: { message: expect.stringContaining('{ id, tenants }') } }])
    }
  })

  it.each([
    ['a token', (token: string) => token],
    ['control characters', () => 'gate\nway'],
    ['invisible characters', () => 'gate\u202eway'],
    ['more characters than an actor may have', () => 'x'.repeat(194)],
  ])('a client whose ID has %s is unknown, and no part of the ID is recorded', async (_, idOf) => {
    const heard: FaultReport[] = []
    const { tokens, create } = createTokens({ onError: (fault) => heard.push(fault) })
    const { token } = await create()
    const id = idOf(token)
    for (const serve of [introspection, revocation]) {
      const answer = serve(tokens, { client: () => ({ id, tenants: ['globex'] }) })
      expect((await answer(form({ token }))).status).toBe(401)
    }
    await tokens.flush()
    const { items } = await tokens.system.events()
    expect(items.map(({ action }) => action)).toEqual(['token.created'])
    expect(heard.map(({ where }) => where)).toEqual(['client', 'client'])
    expect(JSON.stringify(heard.map(({ error }) => error.message))).not.toContain(token)
  })

  it('a client with an ID of the maximum length can revoke a token', async () => {
    const { tokens, create } = createTokens()
    const { token, record } = await create()
    const revoke = revocation(tokens, { client: () => ({ id: 'x'.repeat(193), tenants: ['acme'] }) })
    expect((await revoke(form({ token }))).status).toBe(200)
    expect(await tokens.system.get(record.id)).toMatchObject({ status: 'revoked', revokedBy: `client:${'x'.repeat(193)}` })
  })

  it('OAuth endpoints answer 503, never "inactive", when the store or the client() callback fails', async () => {
    const store = memoryStore()
    const { token } = await latchkey({ prefix: 'acme_live', store, scopes: { a: 'b' } }).system.create({ name: 'x', scopes: ['a'] })
    const broken = latchkey({ prefix: 'acme_live', store: { ...store, find: () => Promise.reject(undefined) }, scopes: { a: 'b' } })
    for (const response of [
      await introspection(broken, { client })(form({ token })),
      await introspection(broken, { client: () => Promise.reject('route') })(form({ token })),
      await revocation(broken, { client })(form({ token })),
      await revocationByPossession(broken)(form({ token })),
    ]) {
      expect(response.status).toBe(503)
      expect(response.headers.get('retry-after')).toBe('1')
    }
  })

  it.each([
    ['no token', form({ token_type_hint: 'x' }), 400],
    ['an empty token', form('token='), 400],
    ['the token twice (RFC 6749 §3.2)', form('token=a&token=b'), 400],
    ['JSON', form('{}', { 'content-type': 'application/json' }), 400],
    ['a huge form', form({ token: 'x'.repeat(20_000) }), 413],
    ['GET', new Request('https://auth.example/oauth?token=x', { headers: { authorization: `Basic ${btoa('gateway:right')}` } }), 405],
  ])('introspection rejects %s', async (_, request, status) => {
    const { tokens } = createTokens()
    expect((await introspection(tokens, { client })(request)).status).toBe(status)
  })

  it('introspection does not count as a use of the token', async () => {
    const { tokens, create } = createTokens()
    const { token, record } = await create()
    await introspection(tokens, { client })(form({ token }))
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0, refused: 0 })
    expect((await tokens.system.get(record.id))?.lastUsedAt).toBeUndefined()
  })
})

describe('revocation (RFC 7009)', () => {
  it('§2.2 revocation ends the token immediately and answers 200 for repeated and unknown tokens', async () => {
    const { tokens, create } = createTokens()
    const { token, record } = await create()
    const revoke = revocation(tokens, { client })
    for (const text of [token, token, 'unknown']) {
      const response = await revoke(form({ token: text }))
      expect([response.status, await response.text()]).toEqual([200, ''])
    }
    expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_revoked' })
    expect(await tokens.system.get(record.id)).toMatchObject({ revokedBy: 'client:gateway' })
    expect((await tokens.system.events({ tokenId: record.id, action: 'token.revoked' })).items).toHaveLength(1)
  })

  it("§2.1 revocation refuses to end another tenant's token", async () => {
    const { tokens, create } = createTokens()
    const { token } = await create({ tenantId: 'globex' })
    const response = await revocation(tokens, { client })(form({ token }, { authorization: `Basic ${btoa('acme-app:right')}` }))
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: 'unauthorized_client' })
    expect((await tokens.verify(token)).ok).toBe(true)
  })

  it('revocation records the address of the client in the audit log, even if the revocation is refused', async () => {
    const { tokens, create } = createTokens()
    const { token } = await create()
    const { token: foreign } = await create({ tenantId: 'globex' })
    const revoke = revocation(tokens, { client, ip: () => '::ffff:192.0.2.7' })
    await revoke(form({ token: foreign }, { authorization: `Basic ${btoa('acme-app:right')}` }))
    await revoke(form({ token }))
    await tokens.flush()
    const { items } = await tokens.system.events({ action: ['token.revoked', 'management.refused'] })
    expect(items.map(({ action, ip }) => `${action} ${ip}`).sort()).toEqual(['management.refused 192.0.2.7', 'token.revoked 192.0.2.7'])
  })
})

describe('revocation by possession', () => {
  it('revocation by possession ends the token, answers 200 for unknown tokens, and is limited by address', async () => {
    const { tokens, create } = createTokens()
    const { token, record } = await create()
    const revoke = revocationByPossession(tokens, { perMinute: 3, ip: (request) => request.headers.get('x-test-ip') ?? undefined })
    const from = (ip: string, text: string) => revoke(form({ token: text }, { 'x-test-ip': ip, authorization: '' }))
    expect((await from('192.0.2.1', 'junk')).status).toBe(200)
    expect((await from('192.0.2.1', token)).status).toBe(200)
    expect(await tokens.system.get(record.id)).toMatchObject({ status: 'revoked', revokedBy: `token:${record.id}` })
    expect((await from('192.0.2.1', 'junk')).status).toBe(200)
    const limited = await from('192.0.2.1', 'junk')
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '20'])
    expect((await from('192.0.2.2', 'junk')).status).toBe(200)
  })

  it('revocation by possession allows perMinute requests at once, and then as many each minute', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const { tokens } = createTokens()
    const revoke = revocationByPossession(tokens, { ip: () => '192.0.2.1' })
    const accepted = async (seconds: number): Promise<number> => {
      vi.advanceTimersByTime(seconds * 1000)
      let count = 0
      while ((await revoke(form({ token: 'junk' }))).status === 200) count += 1
      return count
    }
    const firstMinute = [0, 20, 20, 19]
    const counts: number[] = []
    for (const seconds of firstMinute) counts.push(await accepted(seconds))
    expect(counts).toEqual([10, 3, 3, 3])
    expect(await accepted(3)).toBe(1)
    expect(await accepted(60)).toBe(10)
  })

  it('revocation by possession records the address of the caller in the audit log', async () => {
    const { tokens, create } = createTokens()
    const { token, record } = await create()
    await revocationByPossession(tokens, { ip: () => '::ffff:192.0.2.9' })(form({ token }))
    const { items } = await tokens.system.events({ tokenId: record.id, action: 'token.revoked' })
    expect(items).toMatchObject([{ actorId: `token:${record.id}`, ip: '192.0.2.9' }])
  })

  it.each([
    ['the addresses of an IPv6 network', (n: number) => `2001:db8:1:2::${n}`],
    ['all spellings of an IP address', (n: number) => ['192.0.2.7', '::ffff:192.0.2.7', '::FFFF:c000:207'][n] ?? ''],
    ['all invalid addresses', (n: number) => `made up ${n}`],
  ])('revocation by possession counts %s as one address', async (_, address) => {
    const { tokens } = createTokens()
    let n = 0
    const revoke = revocationByPossession(tokens, { perMinute: 2, ip: () => address(n) })
    const statuses: number[] = []
    for (; n < 3; n += 1) statuses.push((await revoke(form({ token: 'junk' }))).status)
    expect(statuses).toEqual([200, 200, 429])
  })

  it('revocation by possession allows the addresses of an IPv6 /48 together four times as many calls as a single address', async () => {
    const { tokens } = createTokens()
    let address = ''
    const revoke = revocationByPossession(tokens, { perMinute: 2, ip: () => address })
    const from = async (ip: string): Promise<number> => {
      address = ip
      return (await revoke(form({ token: 'junk' }))).status
    }
    for (let n = 0; n < 8; n += 1) expect(await from(`2001:db8:1:${n}::1`)).toBe(200)
    expect(await from('2001:db8:1:8::1')).toBe(429)
    expect(await from('2001:db8:2:8::1')).toBe(200)
  })
})

describe('a real OAuth client library', () => {
  const as: oauth.AuthorizationServer = {
    issuer: 'https://auth.example',
    introspection_endpoint: 'https://auth.example/introspect',
    revocation_endpoint: 'https://auth.example/revoke',
  }
  const gateway: oauth.Client = { client_id: 'gateway' }
  const auth = oauth.ClientSecretBasic('right')

  it('a real OAuth client library introspects and revokes a token', async () => {
    const { tokens, create } = createTokens()
    const { token, record } = await create()
    const introspect = introspection(tokens, { client })
    const revoke = revocation(tokens, { client })
    const over = (handler: (request: Request) => Promise<Response>) => ({
      [oauth.customFetch]: (url: string, init: object) => handler(new Request(url, init)),
    })
    const ask = async () =>
      oauth.processIntrospectionResponse(as, gateway, await oauth.introspectionRequest(as, gateway, auth, token, over(introspect)))
    expect(await ask()).toMatchObject({ active: true, jti: record.id, scope: 'inventory:read' })
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, gateway, auth, token, over(revoke)))
    expect(await ask()).toEqual({ active: false })
  })

  it('protectedResource() rejects an authorization server whose identifier is not an https URL (RFC 8414 §2)', () => {
    const { tokens } = createTokens()
    const options = { resource: 'https://api.example', authorizationServers: ['https://auth.example', 'http://auth.example'] }
    expect(() => protectedResource(tokens, options)).toThrow(expect.objectContaining({ field: 'authorizationServers.1' }))
  })

  it('a real OAuth client library discovers the protected resource (RFC 9728 §3)', async () => {
    const { tokens } = createTokens()
    const resource = protectedResource(tokens, { resource: 'https://api.example/v1', authorizationServers: ['https://auth.example'] })
    const identifier = new URL('https://api.example/v1')
    const response = await oauth.resourceDiscoveryRequest(identifier, {
      [oauth.customFetch]: (url: string) => {
        expect(url).toBe('https://api.example/.well-known/oauth-protected-resource/v1')
        return resource.fetch(new Request(url))
      },
    })
    expect(await oauth.processResourceDiscoveryResponse(identifier, response)).toMatchObject({
      resource: 'https://api.example/v1',
      scopes_supported: ['inventory:read', 'inventory:write'],
      bearer_methods_supported: ['header'],
      authorization_servers: ['https://auth.example'],
    })
  })
})

describe('protected resource metadata (RFC 9728)', () => {
  it('§5.1 the challenge names the protected resource metadata', async () => {
    const { tokens } = createTokens()
    const { metadataUrl, path } = protectedResource(tokens, { resource: 'https://api.example' })
    expect([metadataUrl, path]).toEqual([
      'https://api.example/.well-known/oauth-protected-resource',
      '/.well-known/oauth-protected-resource',
    ])
    const { authenticate } = await import('latchkey/web')
    const refused = await authenticate(tokens as never, new Request('https://api.example/x'), { resourceMetadata: metadataUrl } as never)
    expect(refused.response?.headers.get('www-authenticate')).toBe(`Bearer realm="api", resource_metadata="${metadataUrl}"`)
  })

  it.each([['http://api.example'], ['https://api.example#x'], ['https://api.example?x'], ['api.example'], ['']])(
    '§1.2 protectedResource() rejects the resource %s',
    (resource) => {
      const { tokens } = createTokens()
      expect(() => protectedResource(tokens, { resource })).toThrow(expect.objectContaining({ field: 'resource' }))
    },
  )
})

describe('whoami', () => {
  it("whoami describes the caller's token and rejects invalid tokens", async () => {
    const { tokens, create } = createTokens()
    const { token, record } = await create({ expiresIn: 60 })
    const ask = (text?: string) =>
      whoami(tokens)(new Request('https://api.example/whoami', { headers: text === undefined ? {} : { authorization: `Bearer ${text}` } }))
    expect(await (await ask(token)).json()).toEqual({
      kind: 'token',
      tokenId: record.id,
      name: 'ERP',
      tenantId: 'acme',
      scopes: ['inventory:read'],
      hint: record.hint,
      status: 'active',
      createdAt: record.createdAt.toISOString(),
      expiresAt: record.expiresAt?.toISOString(),
    })
    expect((await ask()).status).toBe(401)
    expect((await ask('junk')).status).toBe(401)
    await tokens.system.revoke(record.id)
    expect(await (await ask(token)).json()).toMatchObject({ code: 'token_revoked' })
  })
})

describe('invalid OAuth setups', () => {
  const { tokens } = createTokens()
  it.each([
    ['introspection without a client', () => introspection(tokens, {} as never), 'client'],
    ['introspection without options', () => introspection(tokens, undefined as never), 'options'],
    ['revocation without a client', () => revocation(tokens, { client: 'basic' } as never), 'client'],
    ['an address instead of a function', () => revocationByPossession(tokens, { ip: '192.0.2.1' } as never), 'ip'],
    ['zero revocations a minute', () => revocationByPossession(tokens, { perMinute: 0 }), 'perMinute'],
  ])('the setup is rejected with the field name: %s', (_, setUp, field) => {
    expect(setUp).toThrow(expect.objectContaining({ code: 'invalid_input', field }))
  })
})
