import type { Actor, Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { instance, mint, refusal, type Scope, until, verdict, warm } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const DAY_MS = 86_400_000
const ADMIN: Actor = { id: 'ann', tenants: ['t1'], manages: 'all' }
const OTHER: Actor = { id: 'eve', tenants: ['t2'], manages: 'all' }
const OWN: Actor = { id: 'bob', tenants: '*', manages: 'own' }
const BOB = { ownerId: 'bob' } as const

const gone = async (tokens: Latchkey<Scope>) => (await tokens.system.events({ action: 'owner.gone', order: 'oldest' })).items

for (const { kind, skip, place } of await everyStore()) {
  describe.skipIf(skip !== undefined)(`an owner who left, with the ${kind} store ${skip ?? ''}`, () => {
    const nodes = async (): Promise<readonly [Latchkey<Scope>, Latchkey<Scope>]> => {
      const open = await place()
      return [instance({ store: open() }), instance({ store: open() })]
    }

    it('rejects all tokens of an owner who left, immediately on every node and in every tenant, and no others', async () => {
      const [here, there] = await nodes()
      const [inT1, inT2, anywhere] = [
        await mint(here, { ...BOB, tenantId: 't1' }),
        await mint(here, { ...BOB, tenantId: 't2' }),
        await mint(here, BOB),
      ]
      const colleague = await mint(here, { ownerId: 'bobby', tenantId: 't1' })
      const unowned = await mint(here, { tenantId: 't1' })
      for (const { token } of [inT1, inT2, anywhere, colleague, unowned]) await warm(there, token)
      expect(await here.system.ownerGone({ ...BOB, reason: 'left', waitForNodes: true })).toEqual({ count: 3 })
      for (const { token } of [inT1, inT2, anywhere]) {
        expect(await verdict(here.verify(token))).toBe('token_revoked')
        expect(await verdict(there.verify(token))).toBe('token_revoked')
      }
      for (const { token } of [colleague, unowned]) expect(await verdict(there.verify(token))).toBe('ok')
      const record = await there.system.get(inT1.record.id)
      expect(record).toMatchObject({ revokedCode: 'owner_gone', revokedReason: 'left', revokedBy: 'system' })
      const events = await gone(there)
      expect(events.map(({ tenantId, count }) => [tenantId, count]).sort()).toEqual([
        [undefined, 1],
        ['t1', 1],
        ['t2', 1],
      ])
      const trail = (await there.as(ADMIN).events({ tokenId: inT1.record.id })).items
      expect(trail[0]).toMatchObject({ action: 'owner.gone', ownerId: 'bob', tenantId: 't1', bulkId: record?.bulkId, reason: 'left' })
    })

    it('keeps the tokens that an owner has in other tenants, and tokens valid in every tenant, if the owner left one tenant', async () => {
      const [here, there] = await nodes()
      const left = await mint(here, { ...BOB, tenantId: 't1' })
      const kept = [await mint(here, { ...BOB, tenantId: 't2' }), await mint(here, BOB)]
      expect(await here.as(ADMIN).ownerGone({ ...BOB, tenantId: 't1', waitForNodes: true })).toEqual({ count: 1 })
      expect(await verdict(there.verify(left.token))).toBe('token_revoked')
      for (const { token } of kept) expect(await verdict(there.verify(token))).toBe('ok')
    })

    it('leaves no live token if a rotation races with the departure of its owner', async () => {
      const [here, there] = await nodes()
      for (let round = 0; round < 5; round += 1) {
        const old = [await mint(here, BOB), await mint(here, BOB), await mint(here, BOB)]
        const rotations = old.map(({ record }, at) => (at % 2 === 0 ? here : there).system.rotate(record.id, { overlap: at * 60 }))
        const [, ...rotated] = await Promise.all([here.system.ownerGone(BOB), ...rotations.map((call) => call.catch(() => undefined))])
        for (const { record } of [...old, ...rotated.filter((minted) => minted !== undefined)]) {
          expect((await there.system.get(record.id))?.status).toBe('revoked')
        }
        expect((await there.system.ownerGone({ ...BOB, dryRun: true })).live).toBe(0)
      }
    })

    it('revokes every token of an owner who left, except tokens that the audit log lists after the departure', async () => {
      const [here, there] = await nodes()
      for (let round = 0; round < 5; round += 1) {
        const ownerId = `owner-${round}`
        const before = await mint(here, { ownerId })
        const made = Promise.all([mint(here, { ownerId }), mint(there, { ownerId }), mint(there, { ownerId })])
        await here.system.ownerGone({ ownerId })
        const all = [before, ...(await made)]
        const events = (await there.system.events({ order: 'oldest', limit: 1000 })).items.filter((event) => event.ownerId === ownerId)
        const end = events.findIndex(({ action }) => action === 'owner.gone')
        for (const { record } of all) {
          const later = events.findIndex(({ tokenId }) => tokenId === record.id) > end
          expect((await there.system.get(record.id))?.status).toBe(later ? 'active' : 'revoked')
        }
        expect((await here.system.get(before.record.id))?.status).toBe('revoked')
        await there.system.ownerGone({ ownerId })
        expect((await here.system.ownerGone({ ownerId, dryRun: true })).live).toBe(0)
      }
    })

    it('previews which tokens the departure of an owner would revoke, most recently used first, and changes nothing', async () => {
      const [here, there] = await nodes()
      const [unused, used] = [await mint(here, BOB), await mint(here, BOB), await mint(here, { ownerId: 'eve' })]
      const [off, ended] = [await mint(here, BOB), await mint(here, BOB)]
      await here.system.deactivate(off.record.id)
      await here.system.revoke(ended.record.id)
      await here.verify(used.token)
      await here.flush()
      const told = await there.system.ownerGone({ ...BOB, dryRun: true })
      expect(told).toMatchObject({ live: 3, usedRecently: 1, complete: true })
      expect(told.items).toHaveLength(3)
      expect(told.items[0]).toMatchObject({ id: used.record.id, lastUsedAt: expect.any(Date) })
      expect(JSON.stringify(told)).not.toContain('digest')
      expect(await verdict(there.verify(unused.token))).toBe('ok')
      expect(await gone(there)).toEqual([])
    })
  })
}

describe('ownerGone', () => {
  it('leaves tokens that expired while inactive out of the preview, because they no longer work', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    for (const expiresIn of ['1h', '2d'] as const) {
      const { record } = await mint(tokens, { ...BOB, expiresIn })
      await tokens.system.deactivate(record.id)
    }
    expect(await tokens.system.ownerGone({ ...BOB, dryRun: true })).toMatchObject({ live: 2 })
    now += 86_400_000
    expect(await tokens.system.ownerGone({ ...BOB, dryRun: true })).toMatchObject({
      live: 1,
      items: [{ status: 'inactive' }],
      complete: true,
    })
  })

  it('records the departure of an owner without tokens, and of the same owner again', async () => {
    const tokens = instance()
    expect(await tokens.system.ownerGone({ ...BOB, tenantId: 't1' })).toEqual({ count: 0 })
    await mint(tokens, { ...BOB, tenantId: 't1' })
    expect(await tokens.system.ownerGone(BOB)).toEqual({ count: 1 })
    expect(await tokens.system.ownerGone(BOB)).toEqual({ count: 0 })
    expect((await gone(tokens)).map(({ tenantId, count, ownerId }) => [ownerId, tenantId, count])).toEqual([
      ['bob', 't1', 0],
      ['bob', 't1', 1],
      ['bob', undefined, 0],
    ])
  })

  it('refuses ownerGone to actors of another tenant and to actors who manage only their own tokens', async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { ...BOB, tenantId: 't1' })
    for (const dryRun of [true, false] as const) {
      const say = (actor: Actor, owner: { ownerId: string; tenantId?: string }) =>
        refusal(dryRun ? tokens.as(actor).ownerGone({ ...owner, dryRun }) : tokens.as(actor).ownerGone({ ...owner, dryRun }))
      expect(await say(OTHER, { ...BOB, tenantId: 't1' })).toBe('grant_denied tenantId')
      expect(await say(ADMIN, BOB)).toBe('grant_denied tenantId')
      expect(await say(OWN, BOB)).toBe('grant_denied actor')
    }
    expect(await tokens.as(OTHER).ownerGone({ ...BOB, tenantId: 't2' })).toEqual({ count: 0 })
    expect(await tokens.as(OTHER).ownerGone({ ...BOB, tenantId: 't2', dryRun: true })).toMatchObject({ live: 0, items: [] })
    expect(await verdict(tokens.verify(token))).toBe('ok')
    await tokens.flush()
    const refused = (await tokens.system.events({ action: 'management.refused' })).items
    expect(new Set(refused.map(({ details }) => details?.attempt))).toEqual(new Set(['ownerGone']))
    expect((await tokens.as(OTHER).events()).items.every(({ tenantId }) => tenantId === 't2')).toBe(true)
  })

  it('refuses ownerGone if a field that limits it is undefined, misspelled or malformed, and changes nothing', async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { ...BOB, tenantId: 't1' })
    const call = tokens.system.ownerGone as (input: unknown) => Promise<unknown>
    for (const [input, field] of [
      [{ ...BOB, tenantId: undefined }, 'tenantId'],
      [{ ...BOB, dryRun: undefined }, 'dryRun'],
      [{ ...BOB, dryRun: 'true' }, 'dryRun'],
      [{ ...BOB, dryrun: true }, 'dryrun'],
      [{ ownerId: '' }, 'ownerId'],
      [{}, 'ownerId'],
      [{ ownerId: ['bob'] }, 'ownerId'],
    ] as const) {
      expect(await refusal(call(input))).toBe(`invalid_input ${field}`)
    }
    expect(await refusal(call(undefined))).toMatch(/^invalid_input/)
    expect(await verdict(tokens.verify(token))).toBe('ok')
  })

  it('ownerGone() makes every node look up the owner again', async () => {
    const store = memoryStore()
    let known: { scopes: string[] } | null = { scopes: ['stock:read'] }
    const options = { store, owner: () => known, cache: { ownerStaleness: '60s', maxStaleness: '60s' } } as const
    const [here, there] = [instance(options), instance(options)]
    const bob = await mint(here, BOB)
    await warm(there, bob.token)
    await warm(here, bob.token)
    known = null
    expect(await here.system.ownerGone(BOB)).toEqual({ count: 1 })
    const late = await mint(here, BOB)
    expect(await verdict(here.verify(late.token))).toBe('owner_denied')
    await until(async () => (await verdict(there.verify(late.token))) === 'owner_denied')
  })

  it('the preview counts only uses in the last 30 days as recent, and shows at most 100 tokens', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const [old, fresh] = [await mint(tokens, BOB), await mint(tokens, BOB)]
    for (let made = 0; made < 448; made += 1) await mint(tokens, BOB)
    await tokens.verify(old.token)
    await tokens.flush()
    now += 31 * DAY_MS
    await tokens.verify(fresh.token)
    const told = await tokens.system.ownerGone({ ...BOB, dryRun: true })
    expect(told).toMatchObject({ live: 450, usedRecently: 1, complete: true })
    expect(told.items.slice(0, 2).map(({ id }) => id)).toEqual([fresh.record.id, old.record.id])
    expect(told.items).toHaveLength(100)
  })

  it('ownerGone() changes no tokens if the store fails, and revokes them when it is called again', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store })
    const { token } = await mint(tokens, BOB)
    store.behave({ revokeWhere: { do: 'fail', error: new Error('down') } })
    expect(await refusal(tokens.system.ownerGone(BOB))).toMatch(/^store_unavailable/)
    store.behave()
    expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(await tokens.system.ownerGone(BOB)).toEqual({ count: 1 })
    expect(await verdict(tokens.verify(token))).toBe('token_revoked')
  })
})
