import express from 'express'
import { type Actor, type FaultReport, latchkey } from 'latchkey'
import { type AuthenticateOptions, authenticate, management, requireScopes } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'
import { requireScopes as checkScopes, authenticate as decide } from 'latchkey/web'
import { afterEach, describe, expect, it } from 'vitest'
import type { Warning } from '../../src/http/diagnostics.js'
import { createAccess } from '../../src/management/access.js'
import { readManagementOptions } from '../../src/management/options.js'

const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'tokens:rotate-self': 'Replace itself' },
})
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const request = (headers: Record<string, string> = {}, method = 'GET'): Request =>
  new Request('https://api.test/stock', { method, headers })

describe('a session', () => {
  const session = (): { id: string; tenantId: string; scopes: '*' } => ({ id: 'ada', tenantId: 'acme', scopes: '*' })

  it('a session creates a principal that has no token and that a scope check accepts', async () => {
    const outcome = await decide(tokens, request(), { session, require: checkScopes('inventory:read') })
    const { principal } = outcome
    expect(principal).toMatchObject({
      kind: 'session',
      name: 'ada',
      ownerId: 'ada',
      tenantId: 'acme',
      scopes: ['inventory:read', 'tokens:rotate-self'],
    })
    expect(principal).not.toHaveProperty('tokenId')
    expect(principal?.allows('inventory:read', { warehouse: 'w1' })).toBe(true)
    expect(principal?.allows('inventory:write' as never)).toBe(false)
    expect(principal?.signal.aborted).toBe(false)
  })

  it('a session request without Sec-Fetch-Site is accepted only if its Origin matches the host', async () => {
    for (const [origin, code] of [
      ['https://api.test', undefined],
      ['https://evil.test', 'cross_site'],
    ] as const) {
      const { response } = await decide(tokens, request({ origin }, 'DELETE'), { session })
      expect(response === undefined ? undefined : ((await response.json()) as { code: string }).code).toBe(code)
    }
  })

  it('the session callback is called only for requests without a credential', async () => {
    let asked = 0
    const counted = (): undefined => {
      asked += 1
    }
    for (const headers of [{ authorization: 'Bearer x' }, { authorization: 'Digest x' }, { authorization: '' }]) {
      await decide(tokens, request(headers), { session: counted, optional: true })
    }
    expect(asked).toBe(0)
    expect(await decide(tokens, request(), { session: counted, optional: true })).toEqual({})
    expect(asked).toBe(1)
  })

  it('a session callback that hangs causes a 503, and an incomplete session is reported to the developer', async () => {
    const warnings: Warning[] = []
    const onWarning = (warning: Warning): unknown => warnings.push(warning)
    const hung = await decide(tokens, request(), { session: () => new Promise(() => undefined) })
    expect(hung.response?.status).toBe(503)
    const half = await decide(tokens, request(), { session: () => ({ id: 'ada', scope: '*' }) as never, onWarning })
    expect(half.response?.status).toBe(503)
    expect(warnings).toMatchObject([{ code: 'LATCHKEY_W008', message: expect.stringContaining('did you mean "scopes"') }])
  })

  async function serve(
    options: AuthenticateOptions,
    actor: () => Actor | undefined = () => ({ id: 'ada', tenants: ['acme'], manages: 'all' }),
  ) {
    const app = express()
    app.use(authenticate(tokens, options))
    app.use('/tokens', management(tokens, { actor }))
    app.get('/stock', requireScopes('inventory:read'), (req, res) => void res.json({ kind: req.principal?.kind }))
    const server = app.listen(0)
    closing.push(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    return (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
  }

  it('a person with a session can manage tokens, but /self refuses the session', async () => {
    const ask = await serve({ session })
    expect(await (await ask('/stock')).json()).toEqual({ kind: 'session' })
    const made = await ask('/tokens', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
      body: JSON.stringify({ name: 'ERP', tenantId: 'acme', scopes: ['inventory:read'] }),
    })
    expect(made.status).toBe(201)
    for (const [method, path] of [
      ['GET', '/tokens/self'],
      ['POST', '/tokens/self/rotate'],
    ] as const) {
      const answer = await ask(path, {
        method,
        headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
        body: method === 'POST' ? '{}' : null,
      })
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, 'credential_missing'])
    }
  })

  it('a refused session request without an actor is recorded as anonymous, not as a token', async () => {
    const before = await tokens.system.events({ action: 'management.refused' })
    const ask = await serve({ session }, () => undefined)
    expect((await ask('/tokens?limit=1')).status).toBe(401)
    await tokens.flush()
    const { items } = await tokens.system.events({ action: 'management.refused' })
    const known = new Set(before.items.map(({ id }) => id))
    expect(items.filter(({ id }) => !known.has(id)).map(({ actorId, code }) => [actorId, code])).toEqual([['anonymous', 'actor_missing']])
  })

  it('a token principal that claims to be a session cannot manage tokens', async () => {
    const access = createAccess(
      tokens,
      readManagementOptions({}, () => undefined, { deadlineMs: 2000, monotonic: () => 0 }),
    )
    const { principal } = await decide(
      tokens,
      request({ authorization: `Bearer ${(await tokens.system.create({ name: 'x', scopes: [] })).token}` }),
    )
    const actor = { id: 'ada', tenants: ['acme'], manages: 'all' }
    for (const claimed of [
      principal,
      { ...principal, kind: 'session' },
      Object.assign(Object.create(principal ?? null), { kind: 'session' }),
    ]) {
      await expect(access.actor(request(), { actor, principal: claimed })).rejects.toMatchObject({ code: 'token_cannot_manage' })
    }
  })
})

describe('a failing authentication callback', () => {
  const boom = (): never => {
    throw new Error('boom')
  }
  const bearer = { authorization: 'Bearer legacy-secret' }
  const cases: readonly (readonly [string, 'session' | 'foreign', AuthenticateOptions['session']])[] = (
    ['session', 'foreign'] as const
  ).flatMap((where) => [
    ['throws', where, boom] as const,
    ['rejects', where, () => Promise.reject(new Error('boom'))] as const,
    ['returns an incomplete result', where, () => ({}) as never] as const,
    ['never settles', where, () => new Promise<undefined>(() => undefined)] as const,
  ])

  it.each(cases)('an authentication callback that %s (%s) causes a 503 that is reported once', async (_, where, callback) => {
    const heard: FaultReport[] = []
    const told = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: {}, onError: (fault) => heard.push(fault), logger: false })
    const headers = where === 'session' ? {} : bearer
    const { response } = await decide(told, request(headers), { [where]: callback, onWarning: () => undefined })
    expect(response?.status).toBe(503)
    expect(heard.map((fault) => fault.where)).toEqual([where])
    await told.close()
  })

  it('reports of a failing callback do not leak callers’ credentials', async () => {
    const lines: string[] = []
    const heard: FaultReport[] = []
    const told = latchkey({
      prefix: 'acme_live',
      store: memoryStore(),
      scopes: {},
      onError: (fault) => heard.push(fault),
      logger: { error: (line) => lines.push(line) },
    })
    const foreign = (credential: string): never => {
      throw new Error(`who is ${credential}?`)
    }
    expect((await decide(told, request(bearer), { foreign })).response?.status).toBe(503)
    const cause = heard[0]?.error.cause as Error
    expect(cause.message).toBe('who is …?')
    expect(`${cause.stack} ${lines}`).not.toContain('legacy-secret')
    expect(lines).toHaveLength(1)
    await told.close()
  })
})

describe('a foreign bearer token', () => {
  it('a foreign bearer token gets the principal that the host or a verifier returns', async () => {
    const foreign = (credential: string) => ({
      tokenId: `key-${credential.length}`,
      name: 'Legacy',
      ownerId: 'ada',
      scopes: ['inventory:*'],
      metadata: { from: 'v1' },
    })
    const { principal } = await decide(tokens, request({ authorization: 'Bearer legacy' }), { foreign })
    expect(principal).toMatchObject({
      kind: 'foreign',
      tokenId: 'key-6',
      name: 'Legacy',
      ownerId: 'ada',
      scopes: ['inventory:read'],
      metadata: { from: 'v1' },
    })
    const again = await decide(tokens, request({ authorization: 'Bearer other' }), { foreign: () => principal as never })
    expect(again.principal).toMatchObject({ kind: 'foreign', tokenId: 'key-6', scopes: ['inventory:read'] })
  })

  it('the use of a foreign bearer token is not counted, and such a token cannot manage tokens', async () => {
    const { token, record } = await tokens.system.create({ name: 'ours', scopes: ['inventory:read'] })
    const foreign = () => ({ tokenId: record.id, scopes: ['inventory:read'] })
    const { principal } = await decide(tokens, request({ authorization: 'Bearer legacy' }), { foreign })
    await tokens.flush()
    expect((await tokens.system.usage(record.id)).total).toBe(0)
    const access = createAccess(
      tokens,
      readManagementOptions({}, () => undefined, { deadlineMs: 2000, monotonic: () => 0 }),
    )
    await expect(access.actor(request(), { actor: {}, principal })).rejects.toMatchObject({ code: 'token_cannot_manage' })
    const holder = await access.holder(request(), { actor: undefined, principal })
    expect(holder.refusal?.status).toBe(401)
    // A latchkey token in Basic is still a token, whatever its form.
    await expect(access.actor(request({ authorization: `Basic ${btoa(`${token}:`)}` }), { actor: {} })).rejects.toMatchObject({
      code: 'token_cannot_manage',
    })
  })

  it('an incomplete foreign principal is reported to the developer', async () => {
    const warnings: Warning[] = []
    const foreign = () => ({ tokenId: 'x' }) as never
    const { response } = await decide(tokens, request({ authorization: 'Bearer legacy' }), {
      foreign,
      onWarning: (warning) => warnings.push(warning),
    })
    expect(response?.status).toBe(503)
    expect(warnings).toMatchObject([{ code: 'LATCHKEY_W009', message: expect.stringContaining('scopes') }])
  })
})
