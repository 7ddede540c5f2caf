import type { Actor, AuditHead, CreateInput, Latchkey, LatchkeyOptions, RotateInput } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { instance, mint, refusal, type Scope, verdict, warm } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const ADMIN: Actor = { id: 'ann', tenants: ['t1'], manages: 'all', ip: '203.0.113.5' }
const BOB = { ownerId: 'bob', tenantId: 't1' } as const
const TO_ERP = { ownerId: 'erp-service', overlap: '7d' } as const

/** A token of Bob, given to `erp-service` by the tenant's administrator. */
async function transfer(tokens: Latchkey<Scope>, input: RotateInput = TO_ERP, terms: Partial<CreateInput<Scope>> = {}) {
  const old = await mint(tokens, { ...BOB, ...terms })
  const next = await tokens.as(ADMIN).rotate(old.record.id, input)
  return { old, next, token: next.token ?? '' }
}

const transferred = async (tokens: Latchkey<Scope>) => (await tokens.system.events({ action: 'owner.transferred' })).items

for (const { kind, skip, place } of await everyStore()) {
  describe.skipIf(skip !== undefined)(`a rotation to another owner with the ${kind} store ${skip ?? ''}`, () => {
    const nodes = async (options: Partial<LatchkeyOptions<Scope>> = {}): Promise<readonly [Latchkey<Scope>, Latchkey<Scope>]> => {
      const open = await place()
      return [instance({ store: open(), ...options }), instance({ store: open(), ...options })]
    }

    it('gives the successor to the new owner, and ownerGone() for the old owner revokes only the old token', async () => {
      const [here, there] = await nodes()
      const { old, next, token } = await transfer(here)
      expect(next.record).toMatchObject({ ownerId: 'erp-service', tenantId: 't1', createdBy: 'ann', replacesId: old.record.id })
      expect(await here.system.get(old.record.id)).toMatchObject({ ownerId: 'bob', replacedById: next.record.id, status: 'active' })
      for (const text of [old.token, token]) expect(await verdict(there.verify(text))).toBe('ok')
      expect(await here.as(ADMIN).ownerGone({ ...BOB, waitForNodes: true })).toEqual({ count: 1 })
      for (const node of [here, there]) {
        expect(await verdict(node.verify(old.token))).toBe('token_revoked')
        expect(await verdict(node.verify(token))).toBe('ok')
      }
    })

    it('creates one successor if two transfers to different owners race', async () => {
      const [here, there] = await nodes()
      for (let round = 0; round < 5; round += 1) {
        const { record } = await mint(here, BOB)
        const owners = ['erp-service', 'cat'] as const
        const calls = owners.map((ownerId, at) => [here, there][at]?.system.rotate(record.id, { ownerId, overlap: round % 2 }))
        const results = await Promise.allSettled(calls)
        const won = results.findIndex(({ status }) => status === 'fulfilled')
        expect(results.map((result) => (result.status === 'rejected' ? result.reason.code : 'done')).sort()).toEqual(['conflict', 'done'])
        const successors = (await there.system.list({ limit: 1000 })).items.filter(({ replacesId }) => replacesId === record.id)
        expect(successors.map(({ ownerId }) => ownerId)).toEqual([owners[won]])
        const told = (await there.system.events({ tokenId: record.id, action: 'owner.transferred' })).items
        expect(told.map(({ after }) => after)).toEqual([{ ownerId: owners[won] }])
      }
    })

    it('leaves the old owner no live token if a transfer races the departure of that owner', async () => {
      const [here, there] = await nodes()
      for (let round = 0; round < 5; round += 1) {
        const old = [await mint(here, BOB), await mint(here, BOB), await mint(here, BOB)]
        const calls = old.map(({ record }, at) => [here, there][at % 2]?.system.rotate(record.id, { ownerId: 'cat', overlap: at * 60 }))
        const [, ...results] = await Promise.allSettled([here.system.ownerGone(BOB), ...calls])
        for (const { record } of old) expect((await there.system.get(record.id))?.status).toBe('revoked')
        for (const result of results) {
          if (result.status === 'rejected') expect(result.reason.code).toBe('conflict')
          else expect(await there.system.get(result.value?.record.id ?? '')).toMatchObject({ ownerId: 'cat', status: 'active' })
        }
        expect((await there.system.ownerGone({ ...BOB, dryRun: true })).live).toBe(0)
      }
    })

    it('counts a transfer against the limit of the new owner exactly, even if many race', async () => {
      const [here, there] = await nodes({ maxTokens: { perOwner: 3 } })
      const old = await Promise.all(Array.from({ length: 9 }, (_, at) => mint(here, { ownerId: `bob-${at}`, tenantId: 't1' })))
      const calls = old.map(({ record }, at) => [here, there][at % 2]?.system.rotate(record.id, { ownerId: 'cat', overlap: at * 60 }))
      const results = await Promise.allSettled(calls)
      const codes = results.map((result) => (result.status === 'rejected' ? `${result.reason.code} ${result.reason.field}` : 'done')).sort()
      expect(codes).toEqual([...Array(3).fill('done'), ...Array(6).fill('token_limit_reached ownerId')])
      expect((await there.system.list({ ownerId: 'cat' })).items).toHaveLength(3)
      for (const [at, { token }] of old.entries()) {
        if (results[at]?.status === 'rejected') expect(await verdict(here.verify(token))).toBe('ok')
      }
    })

    for (const erased of ['zq-old-owner', 'zq-new-owner'] as const) {
      it(`leaves no trace of ${erased} in the database after erase(), and the sealed audit log still verifies`, async () => {
        const open = await place()
        const tokens = instance({ store: open() })
        const { record } = await mint(tokens, { ownerId: 'zq-old-owner', tenantId: 't1' })
        await tokens.as(ADMIN).rotate(record.id, { ownerId: 'zq-new-owner', overlap: '1h', idempotencyKey: 'k' })
        await tokens.system.ownerGone({ ownerId: erased })
        expect((await open.dump()).includes(erased)).toBe(true)
        await tokens.system.sealAudit()
        await tokens.system.erase({ ownerId: erased })
        const left = await open.dump()
        expect(left.includes(erased)).toBe(false)
        expect(left.includes(erased === 'zq-old-owner' ? 'zq-new-owner' : 'zq-old-owner')).toBe(true)
        const head = (await tokens.system.sealAudit()) as AuditHead
        expect(await tokens.system.verifyAudit({ head })).toMatchObject({ ok: true, problems: [] })
        const [event] = await transferred(tokens)
        expect([event?.before, event?.after]).toEqual(
          erased === 'zq-old-owner' ? [{}, { ownerId: 'zq-new-owner' }] : [{ ownerId: 'zq-old-owner' }, {}],
        )
        expect(await tokens.system.erase({ ownerId: erased })).toEqual({ tokens: 0, events: 0 })
      })
    }
  })
}

describe('rotate to another owner', () => {
  it('records the transfer in addition to the rotation, for administrators of the tenant and in the trail of the old token', async () => {
    const told: string[] = []
    const tokens = instance({ onEvent: ({ action }) => void told.push(action) })
    const { old, next } = await transfer(tokens)
    const events = (await tokens.as(ADMIN).events({ tokenId: old.record.id })).items
    expect(events.map(({ action }) => action).sort()).toEqual(['owner.transferred', 'token.created', 'token.rotated'])
    const event = events.find(({ action }) => action === 'owner.transferred')
    expect(event).toMatchObject({ actorId: 'ann', ip: '203.0.113.5', tokenId: old.record.id, tenantId: 't1', ownerId: 'bob' })
    expect(event).toMatchObject({ before: { ownerId: 'bob' }, after: { ownerId: 'erp-service' }, details: { successorId: next.record.id } })
    expect(Object.keys({ ...event?.before, ...event?.after })).toEqual(['ownerId'])
    const trail = (await tokens.as(ADMIN).events({ tokenId: next.record.id })).items
    expect(trail).toMatchObject([{ action: 'token.created', ownerId: 'erp-service', details: { replacesId: old.record.id } }])
    expect(told.filter((action) => action === 'owner.transferred')).toHaveLength(1)
    expect(await tokens.as({ ...ADMIN, tenants: ['t2'] }).events({ action: 'owner.transferred' })).toEqual({ items: [] })
  })

  it('a transfer can assign an owner to a token without an owner', async () => {
    const tokens = instance()
    const { record } = await mint(tokens, { tenantId: 't1' })
    const next = await tokens.as(ADMIN).rotate(record.id, { ownerId: 'cat' })
    expect(next.record).toMatchObject({ ownerId: 'cat' })
    expect(await transferred(tokens)).toMatchObject([{ before: {}, after: { ownerId: 'cat' } }])
  })

  it('a transfer is an ordinary rotation if the owner stays the same', async () => {
    const tokens = instance({ maxTokens: { perOwner: 1 }, onReuse: 'revoke_lineage' })
    const { old, next } = await transfer(tokens, { ownerId: 'bob', overlap: '1h' })
    expect(next.record).toMatchObject({ ownerId: 'bob', createdBy: 'system', rootId: old.record.id })
    expect(await transferred(tokens)).toEqual([])
  })

  it('an owner that is present but undefined or invalid is refused, and changes nothing', async () => {
    const tokens = instance()
    const { record } = await mint(tokens, BOB)
    const rotate = tokens.system.rotate as (id: string, input: unknown) => Promise<unknown>
    for (const ownerId of [undefined, null, '', 'x'.repeat(201), 7, ['cat'], 'a\u0000b', (await mint(tokens)).token]) {
      expect(await refusal(rotate(record.id, { ownerId })), String(ownerId)).toBe('invalid_input ownerId')
    }
    await expect(rotate(record.id, { ownerId: undefined })).rejects.toThrow('omit it to keep the owner')
    expect(await refusal(rotate(record.id, { owner: 'cat' }))).toBe('invalid_input owner')
    expect(await tokens.system.get(record.id)).toMatchObject({ version: 1 })
  })

  it('refuses an owner that mayOwn does not let the actor name, and does not ask about the old owner', async () => {
    const asked: string[] = []
    const tokens = instance({
      mayOwn: (_, { ownerId, tenantId }) => {
        asked.push(`${ownerId} ${tenantId}`)
        return ownerId === 'erp-service'
      },
    })
    const { record } = await mint(tokens, BOB)
    expect(await refusal(tokens.as(ADMIN).rotate(record.id, { ownerId: 'ceo' }))).toBe('grant_denied ownerId')
    expect(await refusal(tokens.as({ ...ADMIN, tenants: ['t2'] }).rotate(record.id, TO_ERP))).toBe('not_found undefined')
    expect(await refusal(tokens.as({ ...ADMIN, scopes: ['billing:read'] }).rotate(record.id, TO_ERP))).toBe('grant_denied scopes')
    expect(await refusal(tokens.as(ADMIN).rotate(record.id, TO_ERP))).toBe('done')
    expect(asked).toEqual(['ceo t1', 'erp-service t1'])
    await tokens.flush()
    const refused = (await tokens.system.events({ action: 'management.refused' })).items
    expect(refused.map(({ code, details }) => [code, details?.field]).sort()).toEqual([
      ['grant_denied', 'ownerId'],
      ['grant_denied', 'scopes'],
      ['not_found', undefined],
    ])
  })

  it('an actor that manages only its own tokens cannot name anyone else, and the creator of the old token cannot see the successor', async () => {
    const tokens = instance()
    const bob = tokens.as({ id: 'bob', tenants: ['t1'], manages: 'own' })
    const { record } = await bob.create({ name: 'ERP', tenantId: 't1', scopes: ['stock:read'] })
    expect(await refusal(bob.rotate(record.id, TO_ERP))).toBe('grant_denied ownerId')
    const next = await tokens.as(ADMIN).rotate(record.id, TO_ERP)
    expect(await bob.get(next.record.id)).toBeUndefined()
    for (const call of [bob.rotate(next.record.id), bob.revoke(next.record.id)]) expect(await refusal(call)).toBe('not_found undefined')
    expect((await bob.list()).items.map(({ id }) => id)).toEqual([record.id])
  })

  it('an actor that transfers an inheriting token must have the permissions of the new owner', async () => {
    const owner = ({ ownerId }: { ownerId: string }): { scopes: Scope[] } | null =>
      ownerId === 'gone' ? null : { scopes: ownerId === 'ceo' ? ['billing:read', 'stock:read'] : ['stock:read'] }
    const tokens = instance({ owner })
    const { record } = await tokens.system.create({ name: 'x', ...BOB, inherit: true })
    const clerk = tokens.as({ ...ADMIN, scopes: ['stock:read'] })
    expect(await refusal(clerk.rotate(record.id, { ownerId: 'ceo' }))).toBe('grant_denied scopes')
    expect(await refusal(clerk.rotate(record.id, { ownerId: 'gone' }))).toBe('grant_denied ownerId')
    const next = await clerk.rotate(record.id, { ownerId: 'cat' })
    expect(next.record).toMatchObject({ inherit: true, ownerId: 'cat' })
  })

  it('verifies the old token with the old owner and the successor with the new owner as soon as the call resolves', async () => {
    const gone = new Set<string>()
    const tokens = instance({ owner: ({ ownerId }) => (gone.has(ownerId) ? null : { scopes: ['stock:read'] }) })
    const old = await mint(tokens, BOB)
    await warm(tokens, old.token)
    gone.add('cat')
    const next = await tokens.system.rotate(old.record.id, { ownerId: 'cat', overlap: '1h' })
    expect(await verdict(tokens.verify(next.token))).toBe('owner_denied')
    expect(await verdict(tokens.verify(old.token))).toBe('ok')
    const last = await mint(tokens, BOB)
    await warm(tokens, last.token)
    await tokens.system.rotate(last.record.id, { ownerId: 'dan' })
    expect(await verdict(tokens.verify(last.token))).toBe('token_revoked')
  })

  it('reuse of the old token after a transfer revokes its own lineage but not the token of the new owner', async () => {
    const tokens = instance({ onReuse: 'revoke_lineage' })
    const first = await mint(tokens, BOB)
    const second = await tokens.system.rotate(first.record.id, { overlap: '1d' })
    const third = await tokens.as(ADMIN).rotate(second.record.id, { ownerId: 'erp-service' })
    expect(third.record.rootId).toBeUndefined()
    expect(await verdict(tokens.verify(second.token))).toBe('token_revoked')
    await tokens.flush()
    expect(await verdict(tokens.verify(first.token))).toBe('token_revoked')
    expect(await verdict(tokens.verify(third.token ?? ''))).toBe('ok')
    const fourth = await tokens.system.rotate(third.record.id)
    expect(fourth.record.rootId).toBe(third.record.id)
    expect(await verdict(tokens.verify(first.token))).toBe('token_revoked')
    await tokens.flush()
    expect(await verdict(tokens.verify(fourth.token))).toBe('ok')
    expect(await verdict(tokens.verify(third.token ?? ''))).toBe('token_revoked')
    await tokens.flush()
    expect(await verdict(tokens.verify(fourth.token))).toBe('token_revoked')
  })

  it("uses of a transferred token's successor count toward a separate rate limit", async () => {
    const limits = [{ name: 'uses', by: 'token', limiter: new RateLimiterMemory({ points: 1, duration: 3600 }) }] as const
    const tokens = instance({ rateLimit: { limits, onFailure: 'refuse' } })
    const { old, token } = await transfer(tokens)
    expect([await verdict(tokens.verify(old.token)), await verdict(tokens.verify(old.token))]).toEqual(['ok', 'rate_limited'])
    expect(await verdict(tokens.verify(token))).toBe('ok')
  })

  it('a transfer counts like a new token toward the limit of the new owner, and like a rotation toward the limit of the tenant', async () => {
    const store = memoryStore()
    const loose = instance({ store })
    const tokens = instance({ store, maxTokens: { perOwner: 1, perTenant: 2 } })
    const taken = await mint(loose, { ownerId: 'cat', tenantId: 't1' })
    const { record } = await mint(loose, BOB)
    expect(await refusal(tokens.as(ADMIN).rotate(record.id, { ownerId: 'cat', overlap: '1h' }))).toBe('token_limit_reached ownerId')
    expect(await refusal(tokens.as(ADMIN).rotate(record.id, { ownerId: 'cat' }))).toBe('token_limit_reached ownerId')
    const next = await tokens.as(ADMIN).rotate(record.id, { ownerId: 'dan', overlap: '1h' })
    expect(next.record.ownerId).toBe('dan')
    await tokens.system.revoke(taken.record.id)
    expect(await refusal(tokens.as(ADMIN).rotate(next.record.id, { ownerId: 'cat' }))).toBe('done')
  })

  it('keeps repeated transfers within overlaps from evading the limit of the tenant', async () => {
    const tokens = instance({ maxTokens: { perTenant: 2 } })
    let { id } = (await mint(tokens, BOB)).record
    let made = 0
    for (; made < 50; made += 1) {
      const next = await tokens.system.rotate(id, { ownerId: `owner-${made}`, overlap: '90d' }).catch(() => undefined)
      if (next === undefined) break
      id = next.record.id
    }
    expect(await refusal(tokens.system.rotate(id, { ownerId: 'last', overlap: '90d' }))).toBe('token_limit_reached tenantId')
    expect((await tokens.system.list({ tenantId: 't1', limit: 100 })).items).toHaveLength(12)
    expect(await refusal(tokens.system.rotate(id, { ownerId: 'last' }))).toBe('done')
  })

  it('replays a transfer with the same idempotency key, and refuses the key for another owner', async () => {
    const tokens = instance()
    const { record } = await mint(tokens, BOB)
    const keyed = { ...TO_ERP, idempotencyKey: 'k' }
    const rotate = (input: RotateInput) => tokens.as(ADMIN).rotate(record.id, input)
    const [one, two] = await Promise.all([rotate(keyed), rotate(keyed)])
    expect([one, two].filter(({ token }) => token !== undefined)).toHaveLength(1)
    expect(one.record.id).toBe(two.record.id)
    expect(await refusal(rotate({ ...keyed, ownerId: 'cat' }))).toBe('idempotency_key_reused idempotencyKey')
    expect(await refusal(rotate({ overlap: '7d', idempotencyKey: 'k' }))).toBe('idempotency_key_reused idempotencyKey')
    const same = await mint(tokens, BOB)
    const first = await tokens.system.rotate(same.record.id, { idempotencyKey: 'k' })
    expect(await tokens.system.rotate(same.record.id, { ownerId: 'bob', idempotencyKey: 'k' })).toMatchObject({
      replayed: true,
      record: { id: first.record.id },
    })
    expect(await transferred(tokens)).toHaveLength(1)
  })

  it('a transfer copies the other settings, revokes the old token immediately without an overlap, and refuses a token that is no longer valid', async () => {
    const tokens = instance()
    const terms = { resources: { warehouse: ['w1'] }, allowedIps: ['10.0.0.0/8'], metadata: { system: 'sap' }, expiresIn: '30d' } as const
    const { old, next } = await transfer(tokens, { ownerId: 'cat' }, terms)
    const { resources, allowedIps, metadata, expiresAt, scopes } = old.record
    expect(next.record).toMatchObject({ resources, allowedIps, metadata, expiresAt, scopes })
    expect(await tokens.system.get(old.record.id)).toMatchObject({ revokedCode: 'rotated', revokedBy: 'ann' })
    expect(await refusal(tokens.system.rotate(old.record.id, { ownerId: 'dan' }))).toMatch(/^conflict/)
  })
})
