import type { Actor, AuditEvent, Latchkey } from 'latchkey'
import { revocation } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { authenticate } from 'latchkey/web'
import { describe, expect, it } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { createManagement } from '../../src/management/index.js'
import { instance, mint, principalOf, refusal, type Scope, until } from '../latchkey/harness.js'

const EVE: Actor = { id: 'eve', tenants: ['t1'], manages: 'own', scopes: ['stock:read'], ip: '203.0.113.9' }
const ANN: Actor = { id: 'ann', tenants: ['t1'], manages: 'all', scopes: ['stock:read'] }
const TOM: Actor = { id: 'tom', tenants: ['t2'], manages: 'all' }
const PIA: Actor = { id: 'pia', tenants: ['t1', 't2'], manages: 'all', scopes: ['stock:read'] }
const ROOT: Actor = { id: 'root', tenants: '*', manages: 'all' }

async function refusedOf(tokens: Latchkey<Scope>, actor: Actor = ROOT): Promise<readonly AuditEvent[]> {
  await tokens.flush()
  return (await tokens.as(actor).events({ action: 'management.refused', limit: 1000 })).items
}

const told = async (tokens: Latchkey<Scope>, actor?: Actor): Promise<readonly string[]> =>
  (await refusedOf(tokens, actor)).map(
    ({ actorId, code, details, tenantId }) => `${actorId} ${details?.attempt} ${code} ${tenantId ?? '-'}`,
  )

describe('a refused management call records an event', () => {
  it("calls that exceed the actor's permissions record an event", async () => {
    const tokens = instance()
    const { record } = await mint(tokens, { tenantId: 't1', scopes: ['stock:write'] })
    const eve = tokens.as(EVE)
    const ann = tokens.as(ANN)
    await tokens.system.deactivate(record.id)
    const calls = [
      eve.create({ name: 'x', tenantId: 't1', scopes: ['billing:read'] }),
      eve.create({ name: 'x', tenantId: 't1', ownerId: 'bob', scopes: ['stock:read'] }),
      ann.update(record.id, { scopes: ['billing:read'] }),
      ann.activate(record.id),
      ann.prune({ before: new Date() }),
      eve.ownerChanged({ ownerId: 'bob', tenantId: 't1' }),
    ]
    for (const refused of await Promise.all(calls.map(refusal))) expect(refused).toMatch(/^grant_denied/)
    const events = await refusedOf(tokens)
    expect(events.map(({ actorId, details }) => `${actorId} ${details?.attempt} ${details?.field}`).sort()).toEqual([
      'ann activate actor',
      'ann prune actor',
      'ann update scopes',
      'eve create ownerId',
      'eve create scopes',
      'eve ownerChanged ownerId',
    ])
    for (const event of events) expect(event).toMatchObject({ code: 'grant_denied', tenantId: 't1', count: 1 })
    const about = events.filter(({ details }) => details?.attempt === 'update')
    expect(about).toMatchObject([{ tokenId: record.id }])
    expect((await ann.events({ tokenId: record.id })).items).toContainEqual(about[0])
    expect(events.find(({ actorId }) => actorId === 'eve')).toMatchObject({ ip: '203.0.113.9' })
  })

  it.each(['t'.repeat(201), 'x'.repeat(70_000)])(
    'an actor whose tenant ID no store can hold is named, without the tenant',
    async (long) => {
      const tokens = instance()
      const { record } = await mint(tokens, { tenantId: 't2' })
      const lea = tokens.as({ id: 'lea', tenants: [long], manages: 'all', scopes: ['stock:read'] })
      const any = tokens.as({ id: 'any', tenants: '*', manages: 'own', scopes: ['stock:read'] })
      expect(await refusal(lea.revoke(record.id))).toMatch(/^not_found/)
      expect(await refusal(lea.create({ name: 'x', tenantId: long, scopes: ['billing:read'] }))).toMatch(/^(grant_denied|invalid_input)/)
      expect(await refusal(any.ownerChanged({ ownerId: 'bob', tenantId: long }))).toMatch(/^(grant_denied|invalid_input)/)
      expect(await told(tokens)).toEqual(['lea revoke not_found -'])
    },
  )

  it('a refused rotation of a more powerful token records an event', async () => {
    const tokens = instance()
    const { record } = await mint(tokens, { tenantId: 't1', scopes: ['stock:write'] })
    expect(await refusal(tokens.as(ANN).rotate(record.id))).toBe('grant_denied scopes')
    expect(await refusedOf(tokens)).toMatchObject([{ tokenId: record.id, tenantId: 't1', details: { attempt: 'rotate', field: 'scopes' } }])
  })

  it("every verb on a token outside the actor's reach records an event, whether or not the token exists", async () => {
    const tokens = instance()
    const { record } = await mint(tokens, { tenantId: 't2' })
    const verbs = ['get', 'update', 'activate', 'deactivate', 'rotate', 'revoke', 'usage'] as const
    const trails: unknown[] = []
    for (const [index, id] of [record.id, 'A'.repeat(16)].entries()) {
      const actor = { ...ANN, id: `ann${index}` }
      const handle = tokens.as(actor)
      for (const verb of verbs) {
        const call = verb === 'update' ? handle.update(id, { name: 'y' }) : handle[verb](id)
        expect(await refusal(call)).toMatch(verb === 'get' ? 'done' : /^not_found/)
      }
      const seen = (await refusedOf(tokens, ANN)).filter(({ actorId }) => actorId === actor.id)
      for (const { details } of seen) expect(details?.tokenId).toBe(id)
      trails.push(seen.map(({ code, details, tenantId, count }) => ({ code, attempt: details?.attempt, tenantId, count })))
      expect(new Set(seen.map(({ details }) => details?.attempt))).toEqual(new Set(verbs))
    }
    expect(trails[0]).toEqual(trails[1])
    // The other tenant's audit trail stays empty, so outsiders cannot write into it.
    expect(await told(tokens, TOM)).toEqual([])
    expect((await tokens.as(ROOT).events({ tokenId: record.id, action: 'management.refused' })).items).toEqual([])
  })

  it('a filter that names an unreachable tenant records an event although its result is empty', async () => {
    const tokens = instance()
    const ann = tokens.as(ANN)
    expect(await ann.revokeAll({ tenantId: 't2' })).toEqual({ count: 0 })
    expect(await ann.list({ tenantId: 't2' })).toEqual({ items: [] })
    expect(await ann.events({ tenantId: 't2' })).toEqual({ items: [] })
    const { token, record } = await mint(tokens, { tenantId: 't2' })
    expect(await ann.reportLeak({ token, action: 'revoke' })).toEqual({ known: false })
    expect(await ann.usageOf({ ids: [record.id], from: new Date(Date.now() - 3_600_000) })).toEqual({ items: [] })
    expect(await refusal(ann.create({ name: 'x', tenantId: 't2', scopes: ['stock:read'] }))).toBe('grant_denied tenantId')
    expect([...(await told(tokens, ANN))].sort()).toEqual([
      'ann create grant_denied t1',
      'ann events not_found t1',
      'ann list not_found t1',
      'ann reportLeak not_found t1',
      'ann revokeAll not_found t1',
      'ann usageOf not_found t1',
    ])
    expect(await told(tokens, TOM)).toEqual([])
  })

  it('a refused consumer and a refused export each record an event', async () => {
    const tokens = instance()
    const ann = tokens.as(ANN)
    expect(() => ann.consume('siem', () => undefined)).toThrow(expect.objectContaining({ code: 'grant_denied' }))
    expect(() => ann.exportAudit()).toThrow(expect.objectContaining({ code: 'grant_denied' }))
    expect([...(await told(tokens, ANN))].sort()).toEqual(['ann consume grant_denied t1', 'ann exportAudit grant_denied t1'])
  })

  it.each([
    ['ids', (id) => (handle) => handle.list({ ids: [id] })],
    ['ids, among its own', (id, own) => (handle) => handle.list({ ids: [own, id] })],
    ['ids, with a filter that leaves out its own', (id, own) => (handle) => handle.list({ ids: [own, id], status: 'revoked' })],
    ['id', (id) => (handle) => handle.list({ id })],
    ['id, with the prefix', (id) => (handle) => handle.list({ id: `acme_test_${id}` })],
    ['tokenId', (id) => (handle) => handle.events({ tokenId: id })],
    ['tokenId and an action', (id) => (handle) => handle.events({ tokenId: id, action: 'token.revoked' })],
  ] as [string, (id: string, own: string) => (handle: ReturnType<Latchkey['as']>) => Promise<{ items: readonly unknown[] }>][])(
    "a list by %s that names a token outside the actor's reach records an event",
    async (_, by) => {
      const tokens = instance()
      const { record } = await mint(tokens, { tenantId: 't2' })
      const { record: own } = await mint(tokens, { tenantId: 't1' })
      const { record: eves } = await tokens.as(EVE).create({ name: 'x', tenantId: 't1', scopes: ['stock:read'] })
      const trails: unknown[] = []
      for (const [index, id] of [record.id, 'A'.repeat(16)].entries()) {
        const actor = { ...ANN, id: `ann${index}` }
        await by(id, own.id)(tokens.as(actor) as never)
        const seen = (await refusedOf(tokens, ANN)).filter(({ actorId }) => actorId === actor.id)
        expect(seen).toMatchObject([{ code: 'not_found', tenantId: 't1', count: 1 }])
        trails.push(seen.map(({ details, tenantId, count }) => ({ ...details, tokenId: details?.tokenId === id, tenantId, count })))
      }
      expect(trails[0]).toEqual(trails[1])
      expect(await told(tokens, TOM)).toEqual([])
      // An actor's own tokens and removed tokens are not out of reach. Nothing is out of reach of an actor with access to everything.
      const before = (await told(tokens)).length
      await tokens.system.revoke(own.id)
      await tokens.system.prune({ before: new Date(Date.now() + 1000) })
      await by(eves.id, eves.id)(tokens.as(EVE) as never)
      await tokens.as(ANN).events({ tokenId: own.id })
      await by(record.id, own.id)(tokens.as(ROOT) as never)
      expect(await told(tokens)).toHaveLength(before)
    },
  )

  it('a refusal is recorded in the tenant that it names only if the actor can access that tenant', async () => {
    const tokens = instance()
    const pia = tokens.as(PIA)
    await refusal(pia.create({ name: 'x', tenantId: 't2', scopes: ['billing:read'] }))
    await refusal(pia.create({ name: 'x', tenantId: 't3', scopes: ['stock:read'] }))
    expect(await told(tokens, TOM)).toEqual(['pia create grant_denied t2'])
    expect(await told(tokens)).toHaveLength(2)
  })

  it('invalid input, conflicts, missing tokens and outages record no refusal event', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store })
    const { record } = await mint(tokens)
    await refusal(tokens.as(ANN).create({ name: '', tenantId: 't1', scopes: ['stock:read'] }))
    await refusal(tokens.system.revoke('A'.repeat(16)))
    await refusal(tokens.as(ROOT).revoke('A'.repeat(16)))
    await refusal(tokens.as(ROOT).update(record.id, { name: 'y' }, { version: 7 }))
    store.behave({ find: { do: 'fail', error: new Error('down') } })
    await refusal(tokens.as(ANN).revoke(record.id))
    store.behave()
    expect(await told(tokens)).toEqual([])
  })

  it('an input whose tenantId can be read only once still records the right event', async () => {
    const tokens = instance()
    let reads = 0
    const input = {
      name: 'x',
      scopes: ['billing:read'],
      get tenantId() {
        reads += 1
        if (reads > 1) throw new Error('trap')
        return 't1'
      },
    }
    expect(await refusal(tokens.as(ANN).create(input as never))).toMatch(/^grant_denied/)
    expect(await told(tokens)).toEqual(['ann create grant_denied t1'])
  })
})

describe('refused management attempts are bounded', () => {
  it('500 refusals for one actor create at most ten events, with an exact count', async () => {
    const store = memoryStore()
    const tokens = instance({ store, usage: { flushEvery: 0.01 } })
    const ann = tokens.as(ANN)
    const bob = tokens.as({ ...ANN, id: 'bob' })
    for (let index = 0; index < 500; index += 1) await refusal(ann.revoke(String(index).padStart(16, '0')))
    await refusal(bob.revoke('B'.repeat(16)))
    await tokens.close()
    const events = await refusedOf(instance({ store }))
    const mine = events.filter(({ actorId }) => actorId === 'ann')
    expect(mine.length).toBeLessThanOrEqual(10)
    expect(mine.reduce((sum, { count }) => sum + (count ?? 0), 0)).toBe(500)
    expect(events.filter(({ actorId }) => actorId === 'bob')).toMatchObject([{ details: { tokenId: 'B'.repeat(16) }, count: 1 }])
  })

  it('a refused call gets its refusal while its event cannot be written, and the event is written later', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, deadline: 0.2, usage: { flushEvery: 0.01 } })
    store.behave({ commit: { do: 'hang' } })
    for (let index = 0; index < 20; index += 1) expect(await refusal(tokens.as(ANN).prune({ before: 0 }))).toMatch(/^grant_denied/)
    store.behave()
    await until(async () => (await told(tokens)).length > 0)
  })
})

describe('a refused management request records an event', () => {
  type Sent = { readonly method?: string; readonly path?: string; readonly headers?: Record<string, string>; readonly body?: unknown }

  function api(tokens: Latchkey<Scope>) {
    const management = createManagement(tokens)
    return (actor: unknown, { method = 'GET', path = '/', headers = {}, body }: Sent = {}, principal?: never) =>
      management.fetch(
        new Request(`http://host/admin${path}`, {
          method,
          headers: { ...(method !== 'GET' && { 'content-type': 'application/json' }), ...headers },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        }),
        { actor, ip: '203.0.113.9', principal },
        '/admin',
      )
  }

  it('an unauthenticated request records an event, on existing and unknown routes', async () => {
    const tokens = instance()
    const send = api(tokens)
    for (let times = 0; times < 5; times += 1) expect((await send(undefined)).status).toBe(401)
    expect((await send(undefined, { path: '/nowhere/secret' })).status).toBe(401)
    const events = await refusedOf(tokens)
    expect(events).toHaveLength(2)
    expect(events).toContainEqual(
      expect.objectContaining({ actorId: 'anonymous', code: 'actor_missing', count: 5, ip: '203.0.113.9', details: { attempt: 'GET /' } }),
    )
    expect(JSON.stringify(events)).not.toContain('secret')
    expect(await told(tokens, ANN)).toEqual([])
  })

  it('a request that carries a token or was authenticated by one records an event', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens, { tenantId: 't1' })
    const send = api(tokens)
    expect((await send(ANN, { headers: { authorization: `Bearer ${token}` } })).status).toBe(403)
    const principal = await principalOf(deciderOf(tokens).decide(token))
    expect((await send(ANN, { path: `/${record.id}` }, principal as never)).status).toBe(403)
    expect([...(await told(tokens))].sort()).toEqual([
      'anonymous GET / token_cannot_manage -',
      `token:${record.id} GET /:id token_cannot_manage t1`,
    ])
    expect(JSON.stringify(await refusedOf(tokens))).not.toContain(token.slice(-12))
  })

  it('a request authenticated by a foreign verifier records an event, whatever ID the verifier returned', async () => {
    const store = memoryStore()
    const tokens = instance({ store })
    const { record } = await mint(tokens, { tenantId: 't1' })
    const send = api(tokens)
    const token = `acme_test_${'A'.repeat(16)}_${'b'.repeat(49)}`
    for (const [tokenId, tenantId] of [
      [record.id, 't1'],
      ['u\u00007', 't\u0000'],
      [`\u202e${'x'.repeat(500)}`, '\u200b'],
      [`who sent ${token.slice(0, 30)}\u200b${token.slice(30)}`, undefined],
    ] as const) {
      const foreign = () => ({ tokenId, ...(tenantId !== undefined && { tenantId }), scopes: [] })
      const { principal } = await authenticate(tokens, new Request('http://host/', { headers: { authorization: 'Bearer other' } }), {
        foreign,
      })
      expect((await send(ANN, {}, principal as never)).status).toBe(403)
    }
    expect(new Set(await told(tokens))).toEqual(
      new Set([
        'foreign:u7 GET / token_cannot_manage -',
        'foreign:who sent acme_test_AAAA… GET / token_cannot_manage -',
        `foreign:${'x'.repeat(200)} GET / token_cannot_manage -`,
        `foreign:${record.id} GET / token_cannot_manage t1`,
      ]),
    )
    // None of these events appears in the trail of the token with the same ID.
    expect((await tokens.system.events({ tokenId: record.id, action: 'management.refused' })).items).toEqual([])
  })

  it('a cross-site request records an event for the person whose browser sent it', async () => {
    const tokens = instance()
    const send = api(tokens)
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    const body = { name: 'x', tenantId: 't1', scopes: ['stock:read'] }
    expect((await send(ANN, { method: 'POST', headers, body })).status).toBe(403)
    expect((await send(undefined, { method: 'DELETE', path: '/nowhere', headers })).status).toBe(403)
    await until(async () => (await told(tokens)).length === 2)
    expect([...(await told(tokens))].sort()).toEqual(['ann POST / cross_site t1', 'anonymous another path cross_site -'])
  })

  it('a request refused by a verb results in one event, recorded by the verb', async () => {
    const tokens = instance()
    const { record } = await mint(tokens, { tenantId: 't2' })
    const send = api(tokens)
    for (const path of [`/${record.id}`, `/${record.id}/events`]) expect((await send(ANN, { path })).status).toBe(404)
    expect((await send(ANN, { method: 'POST', body: { name: 'x', tenantId: 't1', scopes: ['billing:read'] } })).status).toBe(403)
    expect([...(await told(tokens))].sort()).toEqual(['ann create grant_denied t1', 'ann get not_found t1'])
    expect((await refusedOf(tokens)).find(({ code }) => code === 'not_found')).toMatchObject({ count: 2, ip: '203.0.113.9' })
  })

  it('a token that tries to rotate itself without the scope records an event', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens, { tenantId: 't1', ownerId: 'u1' })
    const send = api(tokens)
    const headers = { authorization: `Bearer ${token}` }
    expect((await send(undefined, { method: 'POST', path: '/self/rotate', headers, body: {} })).status).toBe(403)
    expect(await refusedOf(tokens)).toMatchObject([
      {
        actorId: `token:${record.id}`,
        tokenId: record.id,
        tenantId: 't1',
        ownerId: 'u1',
        code: 'scope_insufficient',
        details: { attempt: 'POST /self/rotate', field: 'tokens:rotate-self' },
      },
    ])
  })
})

it("an OAuth client that revokes another tenant's token causes an event", async () => {
  const tokens = instance()
  const { token } = await mint(tokens, { tenantId: 't2' })
  const revoke = revocation(tokens, { client: () => ({ id: 'crm', tenants: ['t1'] }) })
  const response = await revoke(
    new Request('http://host/revoke', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ token }).toString(),
    }),
  )
  expect(response.status).toBe(400)
  expect(await told(tokens)).toEqual(['client:crm revoke not_found t1'])
})
