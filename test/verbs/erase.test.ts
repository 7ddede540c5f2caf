import type { Actor, AuditHead, Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore } from 'latchkey/testing'
import { authenticate } from 'latchkey/web'
import { describe, expect, it } from 'vitest'
import type { ForeignPrincipal } from '../../src/http/host-principal.js'
import { createManagement } from '../../src/management/index.js'
import { instance, mint, pause, refusal, type Scope, verdict } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const ADMIN: Actor = { id: 'ann', tenants: ['t1'], manages: 'all' }
const ID = 'q7-zoe-person'
const ZOE: Actor = { id: ID, tenants: '*', manages: 'all', ip: '203.0.113.77' }
/** Every trace of the person in the database. */
const TRACES = [ID, 'Zoe Quill', 'zoe@quill.example', '203.0.113.77', '198.51.100.88', 'zq-laptop', 'zq-feed']

/** Creates tokens and events that mention the person in every possible field. */
async function live(tokens: Latchkey<Scope>): Promise<{ readonly own: string; readonly others: string; readonly text: string }> {
  const said = { description: 'for zoe@quill.example', metadata: { mail: 'zoe@quill.example' }, resources: { person: [ID] } }
  const terms = { ownerId: ID, tenantId: 't1', allowedIps: ['198.51.100.88'], ...said }
  const { token, record } = await mint(tokens, { name: 'Zoe Quill', ...terms })
  await tokens
    .as(ZOE)
    .create({ name: 'by key', scopes: ['stock:read'], ownerId: ID, tenantId: 't1', idempotencyKey: 'k1', metadata: { of: ID } })
  await tokens.verify(token, { ip: '198.51.100.88', endpoint: 'GET /stock' })
  await tokens.flush()
  await tokens.system.update(record.id, { name: 'Zoe Quill 2', description: null })
  const other = await tokens.as(ZOE).create({ name: 'ERP', scopes: ['stock:read'], tenantId: 't1' })
  await tokens.as(ZOE).deactivate(other.record.id)
  const revoked = await mint(tokens, { tenantId: 't1' })
  await tokens.as(ZOE).revoke(revoked.record.id, { reason: 'zq-laptop' })
  await tokens.as(ZOE).revokeAll({ tenantId: 't1', ownerId: 'nobody' })
  await refusal(tokens.as({ ...ZOE, manages: 'own' }).revoke(revoked.record.id))
  await tokens.system.reportLeak({ token, action: 'notify', source: 'zq-feed' })
  await tokens.system.ownerChanged({ ownerId: ID })
  const rotated = await tokens.system.rotate(record.id, { overlap: '1h' })
  await tokens.verify(token, { ip: '198.51.100.88' })
  await tokens.as(ADMIN).ownerGone({ ownerId: ID, tenantId: 't1', reason: 'Zoe Quill left with zq-laptop' })
  await tokens.verify(token, { ip: '198.51.100.88' })
  await tokens.verify(rotated.token ?? '', { ip: '198.51.100.88' })
  return { own: record.id, others: other.record.id, text: token }
}

/** Sends requests to the management API that are refused because a token of an identity provider cannot manage tokens. */
async function attempt(tokens: Latchkey<Scope>, holder: Omit<ForeignPrincipal, 'scopes'>, ip: string, paths = ['/']): Promise<void> {
  const api = createManagement(tokens)
  const headers = { authorization: 'Bearer of-an-identity-provider' }
  for (const path of paths) {
    const foreign = () => ({ ...holder, scopes: [] })
    const { principal } = await authenticate(tokens, new Request('http://host/', { headers }), { foreign })
    const { status } = await api.fetch(
      new Request(`http://host/admin${path}`, { method: 'GET' }),
      { actor: undefined, principal, ip },
      '/admin',
    )
    expect(status).toBe(403)
  }
}

/** More routes than are told apart for one actor. */
const ROUTES = ['/', '/me', '/events', '/usage', '/grantable', '/owners', '/tenants', '/health', `/${'a'.repeat(16)}`, '/no', '/self/x']

for (const { kind, skip, place } of await everyStore()) {
  describe.skipIf(skip !== undefined)(`an erased owner on ${kind} ${skip ?? ''}`, () => {
    it('leaves no trace of an erased owner in the database, and the sealed audit log still verifies', async () => {
      const open = await place()
      const [here, there] = [instance({ store: open() }), instance({ store: open() })]
      const { own, others, text } = await live(here)
      const neighbor = await mint(here, { ownerId: `${ID}-2`, name: 'neighbor' })
      await here.flush()
      const before = await open.dump()
      for (const trace of TRACES) expect(before.includes(trace), trace).toBe(true)
      const head = (await there.system.sealAudit()) as AuditHead

      const erased = await there.system.erase({ ownerId: ID })
      expect(erased.tokens).toBeGreaterThan(3)
      expect(erased.events).toBeGreaterThan(8)

      const after = (await open.dump()).replaceAll(`${ID}-2`, '')
      for (const trace of TRACES) expect(after.includes(trace), trace).toBe(false)
      expect((await there.system.verifyAudit({ head })).ok).toBe(false)
      const newer = (await there.system.sealAudit()) as AuditHead
      expect(await there.system.verifyAudit({ head: newer })).toMatchObject({ ok: true, erased: erased.events, problems: [] })
      expect(await here.system.get(own)).toMatchObject({
        name: 'erased',
        status: 'revoked',
        allowedIps: [],
        resources: { person: [] },
        revokedCode: 'owner_gone',
      })
      expect(await here.system.get(others)).toMatchObject({ name: 'ERP', createdBy: 'erased', status: 'inactive', deactivatedBy: 'erased' })
      expect(await verdict(here.verify(text))).toBe('token_revoked')
      expect(await verdict(here.verify(neighbor.token))).toBe('ok')
      // The other node may still write what it had in memory.
      expect((await here.system.erase({ ownerId: ID })).tokens).toBe(0)
      expect(await there.system.erase({ ownerId: ID })).toEqual({ tokens: 0, events: 0 })
      expect((await open.dump()).replaceAll(`${ID}-2`, '').includes(ID)).toBe(false)
    })

    it("leaves no trace of what an erased owner did with an identity provider's token or their own token", async () => {
      const open = await place()
      const [here, there] = [instance({ store: open() }), instance({ store: open() })]
      const { token } = await mint(here, { ownerId: ID, tenantId: 't1' })
      const [from, neighbor] = ['203.0.113.77', '192.0.2.44']
      const api = createManagement(here)
      for (const path of ROUTES) {
        const { principal } = await authenticate(here, new Request('http://host/', { headers: { authorization: `Bearer ${token}` } }))
        await api.fetch(new Request(`http://host/admin${path}`), { actor: undefined, principal, ip: from }, '/admin')
      }
      await attempt(here, { tokenId: `https://idp.example|${ID}`, ownerId: ID, tenantId: 't1', name: 'Zoe Quill' }, from, ROUTES)
      await attempt(here, { tokenId: `https://idp.example|${ID}`, ownerId: ID }, from, ROUTES)
      await attempt(here, { tokenId: ID, tenantId: 't1' }, from)
      await attempt(here, { tokenId: 'zoe@quill.example', ownerId: ID, tenantId: 't1' }, from)
      // One credential may act for several people. These two are counted apart.
      await attempt(here, { tokenId: 'shared', ownerId: ID, tenantId: 't1' }, from)
      await attempt(here, { tokenId: 'shared', ownerId: 'someone', tenantId: 't1' }, neighbor)
      await attempt(here, { tokenId: `${ID}-2`, ownerId: `${ID}-2`, tenantId: 't1' }, neighbor)
      // A host may give its own actors such IDs.
      const host: Actor = { id: 'foreign:host', tenants: '*', manages: 'all', ip: neighbor }
      await here.as(host).ownerGone({ ownerId: ID })
      await here.flush()
      const before = await open.dump()
      for (const trace of [ID, from, 'zoe@quill.example', neighbor]) expect(before.includes(trace), trace).toBe(true)

      const { items: told } = await there.system.events({ limit: 100 })
      await there.system.erase({ ownerId: ID })
      const after = (await open.dump()).replaceAll(`${ID}-2`, '')
      for (const trace of [ID, from, 'zoe@quill.example', 'Zoe Quill']) expect(after.includes(trace), trace).toBe(false)
      for (const left of ['foreign:shared', 'foreign:host', neighbor]) expect(after.includes(left), left).toBe(true)
      const { items } = await there.system.events({ limit: 100, action: 'management.refused' })
      const counts = (events: typeof items): readonly unknown[] => events.map(({ count, code, details }) => ({ count, code, details }))
      expect(counts(items)).toEqual(counts(told.filter(({ action }) => action === 'management.refused')))
      expect(await here.system.erase({ ownerId: ID })).toEqual({ tokens: 0, events: 0 })
    })

    it('erases an owner from a store after another prefix is moved out of it', async () => {
      const open = await place()
      const tokens = instance({ store: open() })
      const store = open()
      await mint(tokens, { ownerId: ID, tenantId: 't1' })
      await tokens.system.ownerGone({ ownerId: ID })
      const move = { state: 'gone', moveId: 'm', runId: 'r' } as const
      await store.saveMove?.('acme_other', undefined, move)
      expect((await tokens.system.erase({ ownerId: ID })).events).toBeGreaterThan(1)
      expect(await tokens.system.erase({ ownerId: ID })).toEqual({ tokens: 0, events: 0 })
    })

    it('keeps an owner erased while someone keeps presenting the token, whatever other nodes had in memory', async () => {
      const open = await place()
      const [here, there] = [instance({ store: open() }), instance({ store: open() })]
      const { token } = await mint(here, { ownerId: ID, tenantId: 't1' })
      const rotated = await here.system.rotate((await here.system.list()).items[0]?.id ?? '', { overlap: '1h' })
      expect(await verdict(there.verify(token, { ip: '198.51.100.88' }))).toBe('ok')
      await here.system.ownerGone({ ownerId: ID })
      const present = async (node: Latchkey<Scope>): Promise<void> => {
        for (const text of [token, rotated.token]) {
          while ((await verdict(node.verify(text, { ip: '198.51.100.88' }))) !== 'token_revoked') await pause(5)
        }
      }
      for (const node of [here, there]) {
        await present(node)
        await node.flush()
      }
      await present(there)
      await here.system.erase({ ownerId: ID })
      await there.flush()
      await here.system.erase({ ownerId: ID })
      for (const node of [here, there, here, there]) {
        await present(node)
        await node.flush()
        expect(await here.system.erase({ ownerId: ID })).toEqual({ tokens: 0, events: 0 })
        const left = await open.dump()
        for (const trace of [ID, '198.51.100.88']) expect(left.includes(trace), trace).toBe(false)
      }
    })

    it('erases an owner from many nodes at the same time, and after a crash, with one event for each change', async () => {
      const open = await place()
      const faulty = faultyStore(open())
      const broken = instance({ store: faulty })
      const nodes = [instance({ store: open() }), instance({ store: open() })] as const
      for (let at = 0; at < 6; at += 1) await mint(nodes[0], { ownerId: ID, tenantId: `t${at % 2}` })
      await nodes[0].system.ownerGone({ ownerId: ID })
      faulty.behave(({ method, number }) => (method === 'commit' && number > 1 ? { do: 'fail', error: new Error('crashed') } : undefined))
      expect(await refusal(broken.system.erase({ ownerId: ID }))).toBe('store_unavailable undefined')
      const results = await Promise.all(nodes.map(({ system }) => system.erase({ ownerId: ID })))
      expect((await open.dump()).includes(ID)).toBe(false)
      const events = (await nodes[0].system.events({ action: 'owner.erased', limit: 1000 })).items
      const all = (await nodes[0].system.events({ limit: 1000 })).items
      expect(results.reduce((sum, { events }) => sum + events, 0)).toBeGreaterThan(0)
      expect(events.filter(({ tokenId }) => tokenId !== undefined)).toHaveLength(6)
      const administered = nodes[1].as({ ...ADMIN, tenants: ['t0'] })
      const seen = (await administered.events({ action: 'owner.erased', limit: 1000 })).items
      expect(seen.length).toBe(events.filter(({ tenantId }) => tenantId === 't0').length)
      expect(JSON.stringify(all)).not.toContain(ID)
      await nodes[1].system.sealAudit()
      expect(await nodes[1].system.verifyAudit()).toMatchObject({ ok: true, problems: [] })
    })
  })
}

describe('erase', () => {
  it('refuses to erase an owner who still has a token that works or could work again', async () => {
    const time = { now: Date.UTC(2030, 0, 1) }
    const tokens = instance({ clock: () => time.now })
    await mint(tokens, { ownerId: ID, expiresIn: '1h' })
    const inactive = await mint(tokens, { ownerId: ID })
    await tokens.system.deactivate(inactive.record.id)
    time.now += 7_200_000
    const before = (await tokens.system.events({ limit: 1000 })).items
    expect(await refusal(tokens.system.erase({ ownerId: ID }))).toBe('conflict undefined')
    expect((await tokens.system.events({ limit: 1000 })).items).toEqual(before)
    await tokens.system.revoke(inactive.record.id)
    expect(await refusal(tokens.system.erase({ ownerId: ID }))).toBe('conflict undefined')
    await tokens.system.ownerGone({ ownerId: ID })
    expect(await tokens.system.erase({ ownerId: ID })).toMatchObject({ tokens: 2 })
  })

  it('leaves untouched a token that was created during an erasure and blocked the erasure', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store })
    await mint(tokens, { ownerId: ID })
    await tokens.system.ownerGone({ ownerId: ID })
    let late: Promise<{ readonly token?: string | undefined }> | undefined
    store.behave(({ method }) => {
      if (method === 'commit' && late === undefined) late = Promise.resolve().then(() => mint(tokens, { ownerId: ID, name: 'late' }))
      return undefined
    })
    expect(await refusal(tokens.system.erase({ ownerId: ID }))).toBe('conflict undefined')
    expect(await verdict(tokens.verify((await late)?.token ?? ''))).toBe('ok')
    await tokens.system.ownerGone({ ownerId: ID })
    await tokens.system.erase({ ownerId: ID })
    expect(JSON.stringify(await store.events({ prefix: 'acme_test', limit: 1000 }))).not.toContain(ID)
  })

  it('leaves untouched the trail of a token that was created after the erasure began', async () => {
    const late: string[] = []
    let isErasing = false
    const store = interceptStore(memoryStore(), async ({ method }, call) => {
      if (isErasing && method === 'events' && late.length === 0) {
        late.push('')
        late[0] = (await zoe.create({ name: 'late', scopes: ['stock:read'] })).record.id
      }
      return await call()
    })
    const tokens = instance({ store })
    const zoe = tokens.as({ ...ZOE, manages: 'own' })
    const old = await zoe.create({ name: 'old', scopes: ['stock:read'] })
    await tokens.system.revoke(old.record.id)
    isErasing = true
    expect(await refusal(tokens.system.erase({ ownerId: ID }))).toBe('conflict undefined')
    const { items } = await tokens.system.events({ tokenId: late[0] ?? '' })
    expect(items).toMatchObject([{ action: 'token.created', actorId: ID, ip: ZOE.ip, after: { name: 'late' } }])
  })

  it('writes at most ten records or events in one transaction', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store })
    for (let at = 0; at < 35; at += 1) await mint(tokens, { ownerId: ID })
    await tokens.system.ownerGone({ ownerId: ID })
    const sizes: number[] = []
    store.behave(({ method, args: [change] }) => {
      if (method === 'commit') sizes.push(Object(change).updates?.length ?? 0, Object(change).erasures?.length ?? 0)
      return undefined
    })
    expect(await tokens.system.erase({ ownerId: ID })).toMatchObject({ tokens: 35 })
    expect(Math.max(...sizes)).toBe(10)
  })

  it('counts each event once, even if another change conflicts half-way through a page', async () => {
    let replacing = 0
    const store = interceptStore(memoryStore(), async ({ method, args: [change] }, call) => {
      const isSecond = method === 'commit' && Object(change).erasures !== undefined && ++replacing === 2
      return isSecond ? { ok: false, conflict: 'version' } : await call()
    })
    const tokens = instance({ store, sealing: {} })
    for (let at = 0; at < 15; at += 1) await mint(tokens, { ownerId: ID })
    await tokens.system.ownerGone({ ownerId: ID })
    const { events } = await tokens.system.erase({ ownerId: ID })
    const erased = (await store.events({ prefix: 'acme_test', limit: 1000 })).filter((each) => each.erased !== undefined)
    expect(erased.length).toBeGreaterThan(10)
    expect(events).toBe(erased.length)
    await tokens.system.sealAudit()
    expect(await tokens.system.verifyAudit()).toMatchObject({ ok: true, erased: events })
  })

  it.each(['ip', 'reason', 'ownerId', 'after.name', 'active', 'update', 'notify', 't1'])(
    'changes no words of the library in events about others if the ID of the owner is "%s"',
    async (ownerId) => {
      const tokens = instance({ sealing: {} })
      const { token, record } = await mint(tokens, { ownerId: ID, tenantId: 't1', name: 'Zoe Quill' })
      await tokens.as(ZOE).reportLeak({ token, action: 'notify', source: 'notify' })
      await refusal(tokens.as({ id: 'ann', tenants: ['t1'], manages: 'own' }).update(record.id, { name: 'mine' }))
      await tokens.as(ZOE).revokeAll({ tenantId: 't1' })
      await tokens.flush()
      await tokens.system.erase({ ownerId: ID })
      const stopped = await mint(tokens, { ownerId, tenantId: 't1' })
      await tokens.system.revoke(stopped.record.id)
      const details = async () =>
        (await tokens.system.events({ limit: 1000 })).items.flatMap((each) => (each.details ? [each.details] : []))
      const before = await details()
      await tokens.as(ADMIN).erase({ ownerId, tenantId: 't1' })
      expect((await details()).slice(-before.length)).toEqual(before)
      const head = (await tokens.system.sealAudit()) as AuditHead
      expect(await tokens.system.verifyAudit({ head })).toMatchObject({ ok: true, problems: [] })
    },
  )

  it('erases an owner in one tenant and leaves the other tenants unchanged', async () => {
    const tokens = instance()
    const inT1 = await mint(tokens, { ownerId: ID, tenantId: 't1', name: 'one' })
    const inT2 = await mint(tokens, { ownerId: ID, tenantId: 't2', name: 'two' })
    await tokens.system.ownerGone({ ownerId: ID, tenantId: 't1' })
    expect(await tokens.as(ADMIN).erase({ ownerId: ID, tenantId: 't1' })).toMatchObject({ tokens: 1 })
    expect(await tokens.system.get(inT1.record.id)).toMatchObject({ name: 'erased' })
    expect(await tokens.system.get(inT2.record.id)).toMatchObject({ name: 'two', ownerId: ID, status: 'active' })
    const seen = (await tokens.as(ADMIN).events({ limit: 1000 })).items
    expect(JSON.stringify(seen)).not.toContain(ID)
    expect(seen.filter(({ action }) => action === 'owner.erased').length).toBeGreaterThan(1)
    expect((await tokens.system.events({ tokenId: inT2.record.id })).items[0]).toMatchObject({ ownerId: ID })
  })

  it('lets only an administrator of the tenant erase an owner, and never the owner itself', async () => {
    const tokens = instance()
    const input = { ownerId: ID, tenantId: 't1' }
    expect(await refusal(tokens.as({ ...ADMIN, tenants: ['t2'] }).erase(input))).toBe('grant_denied tenantId')
    expect(await refusal(tokens.as(ADMIN).erase({ ownerId: ID }))).toBe('grant_denied tenantId')
    expect(await refusal(tokens.as({ ...ADMIN, manages: 'own' }).erase(input))).toBe('grant_denied actor')
    expect(await refusal(tokens.as({ ...ADMIN, id: ID }).erase(input))).toBe('grant_denied ownerId')
    expect(await refusal(tokens.system.erase({ ownerId: ID, tenantId: undefined }))).toBe('invalid_input tenantId')
    expect(() => tokens.as({ ...ADMIN, id: 'erased' })).toThrow(/is the ID of every erased person/)
  })

  it('refuses the name "erased" for a token, because such a token would count as erased', async () => {
    const tokens = instance()
    expect(await refusal(mint(tokens, { name: 'erased' }))).toBe('invalid_input name')
    const { record } = await mint(tokens)
    expect(await refusal(tokens.system.update(record.id, { name: 'erased' }))).toBe('invalid_input name')
    expect(await refusal(tokens.system.update(record.id, { name: 'erased keys', description: 'erased' }))).toBe('done')
  })

  it("refuses to erase the audit log's reserved names, and writes nothing", async () => {
    const tokens = instance()
    const made = await mint(tokens, { tenantId: 't1' })
    const others = await tokens.as({ ...ADMIN, id: ID }).create({ name: 'ERP', scopes: ['stock:read'], tenantId: 't1' })
    await tokens.as(ADMIN).erase({ ownerId: ID, tenantId: 't1' })
    const before = (await tokens.system.events({ limit: 1000 })).items
    for (const ownerId of ['system', 'erased', 'anonymous', `token:${made.record.id}`]) {
      expect(await refusal(tokens.as(ADMIN).erase({ ownerId, tenantId: 't1' })), ownerId).toBe('invalid_input ownerId')
    }
    expect((await tokens.system.events({ limit: 1000 })).items).toEqual(before)
    expect(await tokens.system.get(others.record.id)).toMatchObject({ createdBy: 'erased', version: 2 })
    expect(await tokens.system.get(made.record.id)).toMatchObject({ createdBy: 'system', version: 1 })
  })

  it("keeps what other people wrote about an erased owner, and reports the owner's erased history as unknown", async () => {
    const time = { now: Date.UTC(2030, 0, 1) }
    const tokens = instance({ clock: () => time.now, usage: false })
    const { record } = await mint(tokens, { ownerId: ID, allowedIps: ['192.0.2.1'] })
    const other = await mint(tokens, { name: `of ${ID}`, metadata: { rack: ID } })
    const at = time.now + 1000
    time.now += 2000
    await tokens.system.ownerGone({ ownerId: ID, reason: 'left' })
    await tokens.system.erase({ ownerId: ID })
    const { ok, steps } = await tokens.system.explain(record.id, { at })
    expect(ok).toBe(undefined)
    expect(steps.every((step) => step.ok !== undefined)).toBe(false)
    expect(await tokens.system.get(other.record.id)).toMatchObject({ name: `of ${ID}`, metadata: { rack: ID } })
  })

  it('repeated erasures never make an actor write more refusals than the limit of nine a minute', async () => {
    const tokens = instance()
    const { record: foreign } = await mint(tokens, { tenantId: 'elsewhere' })
    await mint(tokens, { tenantId: 't1', ownerId: 'bob' })
    const admin = tokens.as(ADMIN)
    for (let round = 0; round < 20; round += 1) {
      await refusal(admin.revoke(foreign.id))
      await refusal(admin.update(foreign.id, { name: 'x' }))
      expect(await refusal(admin.erase({ ownerId: 'bob', tenantId: 't1' }))).toBe('conflict undefined')
      const { record } = await mint(tokens, { tenantId: 't1', ownerId: 'eve' })
      await tokens.system.revoke(record.id)
      expect(await admin.erase({ ownerId: 'eve', tenantId: 't1' })).toMatchObject({ tokens: 1 })
    }
    await tokens.flush()
    const { items } = await tokens.system.events({ action: 'management.refused', limit: 1000 })
    expect(items.length).toBeLessThanOrEqual(9)
  })

  it('removes an erased owner from refusals that have not been written yet, and still counts them', async () => {
    const store = memoryStore()
    const tokens = instance({ store })
    const zoe = tokens.as({ ...ZOE, tenants: ['t1'], manages: 'own', scopes: [] })
    const { token, record } = await mint(tokens, { ownerId: ID, tenantId: 't1' })
    const elsewhere = await mint(tokens, { ownerId: ID, tenantId: 't2' })
    await tokens.system.ownerGone({ ownerId: ID })
    const refuse = async (): Promise<void> => {
      for (const text of [token, elsewhere.token]) {
        while ((await verdict(tokens.verify(text, { ip: '198.51.100.88' }))) !== 'token_revoked') await pause(5)
      }
      expect(await refusal(zoe.create({ name: 'x', scopes: ['stock:read'], tenantId: 't1' }))).toBe('grant_denied scopes')
    }
    await refuse()
    await tokens.flush()
    const before = JSON.stringify((await tokens.system.events({ action: 'token.refused' })).items)
    await refuse()
    await tokens.as(ADMIN).erase({ ownerId: ID, tenantId: 't1' })
    await tokens.close()
    const events = await store.events({ prefix: 'acme_test', limit: 1000 })
    const late = events.filter(
      ({ action, tenantId }) => (action === 'token.refused' || action === 'management.refused') && tenantId === 't1',
    )
    expect(before).toContain(ID)
    expect(JSON.stringify(events.filter(({ tenantId }) => tenantId === 't1'))).not.toContain(ID)
    for (const trace of ['198.51.100.88', '203.0.113.77']) expect(JSON.stringify(late)).not.toContain(trace)
    const counted = (action: string) => late.filter((event) => event.action === action).reduce((sum, { count = 0 }) => sum + count, 0)
    expect(counted('token.refused')).toBeGreaterThanOrEqual(2)
    expect(counted('management.refused')).toBe(2)
    expect(late.filter(({ tokenId }) => tokenId === record.id).map(({ createdBy }) => createdBy)).toEqual(['system', 'system'])
    expect(events.find(({ tokenId, action }) => tokenId === elsewhere.record.id && action === 'token.refused')).toMatchObject({
      ownerId: ID,
    })
  })

  it('names a person who acts again after an erasure, so that the next erasure finds the new address too', async () => {
    const store = memoryStore()
    const [here, there] = [instance({ store }), instance({ store })]
    const holder = { tokenId: ID, ownerId: ID, tenantId: 't1' }
    await attempt(here, holder, '203.0.113.77')
    await here.flush()
    // Not due yet, so the erasure finds it in memory.
    await attempt(here, holder, '203.0.113.78')
    await here.system.erase({ ownerId: ID })
    await attempt(here, holder, '203.0.113.79')
    await here.close()
    await there.system.erase({ ownerId: ID })
    const { items } = await there.system.events({ action: 'management.refused' })
    expect(items.map(({ count, actorId, ownerId, ip }) => ({ count, actorId, ownerId, ip }))).toEqual([
      { count: 2, actorId: 'erased', ownerId: undefined, ip: undefined },
      { count: 1, actorId: 'erased', ownerId: undefined, ip: undefined },
    ])
  })
})
