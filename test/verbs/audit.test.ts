import type { AuditEvent } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { Change } from '../../src/store/port.js'
import { instance, mint, refusal } from '../latchkey/harness.js'

const ANN = { actor: { id: 'ann', tenants: ['t1'], manages: 'all', ip: '10.0.0.7' } } as const

describe('the audit log', () => {
  it('the audit log records actor, action, time, address, and values before and after each change, without a digest', async () => {
    let now = Date.UTC(2030, 0, 1)
    const tokens = instance({ clock: () => now })
    const { record } = await tokens
      .as(ANN.actor)
      .create({ name: 'ERP', tenantId: 't1', ownerId: 'u1', scopes: ['stock:read'], expiresIn: 3600 })
    const at: { [action: string]: Date } = { create: new Date(now) }
    const step = async (action: string, call: () => Promise<unknown>) => {
      now += 1000
      at[action] = new Date(now)
      await call()
    }
    await step('update', () => tokens.as(ANN.actor).update(record.id, { name: 'CRM', expiresAt: null }))
    await step('deactivate', () => tokens.as(ANN.actor).deactivate(record.id))
    await step('activate', () => tokens.as(ANN.actor).activate(record.id))
    await step('rotate', () => tokens.as(ANN.actor).rotate(record.id, { overlap: 60 }))
    await step('revoke', () => tokens.as(ANN.actor).revoke(record.id, { reason: 'leaked' }))
    const { items } = await tokens.system.events({ tokenId: record.id })
    const common = { tokenId: record.id, tenantId: 't1', ownerId: 'u1', actorId: 'ann', ip: '10.0.0.7' }
    const successor = (await tokens.system.get(record.id))?.replacedById
    expect(items.map(({ id: _, ...event }) => event)).toEqual([
      {
        ...common,
        action: 'token.revoked',
        at: at.revoke,
        reason: 'leaked',
        before: {},
        after: { revokedAt: at.revoke?.toISOString(), revokedBy: 'ann', revokedCode: 'manual', revokedReason: 'leaked' },
      },
      {
        ...common,
        action: 'token.rotated',
        at: at.rotate,
        before: {},
        after: { expiresAt: new Date((at.rotate?.getTime() ?? 0) + 60_000).toISOString(), replacedById: successor },
        details: { successorId: successor, overlapSeconds: 60 },
      },
      {
        ...common,
        action: 'token.activated',
        at: at.activate,
        before: { deactivatedAt: at.deactivate?.toISOString(), deactivatedBy: 'ann', deactivatedReach: 'tenant' },
        after: {},
      },
      {
        ...common,
        action: 'token.deactivated',
        at: at.deactivate,
        before: {},
        after: { deactivatedAt: at.deactivate?.toISOString(), deactivatedBy: 'ann', deactivatedReach: 'tenant' },
      },
      {
        ...common,
        action: 'token.updated',
        at: at.update,
        before: { name: 'ERP', expiresAt: record.expiresAt?.toISOString() },
        after: { name: 'CRM' },
      },
      {
        ...common,
        action: 'token.created',
        at: at.create,
        after: { name: 'ERP', scopes: ['stock:read'], expiresAt: record.expiresAt?.toISOString() },
      },
    ])
    expect(JSON.stringify(items)).not.toMatch(/digest|[0-9a-f]{32}/)
    const born = (await tokens.system.events({ tokenId: successor })).items
    expect(born).toMatchObject([{ action: 'token.created', details: { replacesId: record.id } }])
  })

  it('the audit log records the count and the filter of a bulk revocation', async () => {
    const tokens = instance()
    await Promise.all([mint(tokens, { tenantId: 't1' }), mint(tokens, { tenantId: 't1' }), mint(tokens, { tenantId: 't2' })])
    await tokens.as(ANN.actor).revokeAll({ tenantId: 't1', reason: 'left' })
    expect((await tokens.system.events({ action: 'tokens.revoked' })).items).toMatchObject([
      {
        count: 2,
        actorId: 'ann',
        ip: '10.0.0.7',
        tenantId: 't1',
        reason: 'left',
        details: { filter: { tenantId: 't1' } },
      },
    ])
  })

  it('the audit log shows each tenant only its own share of a bulk revocation', async () => {
    const told: AuditEvent[] = []
    const tokens = instance({ onEvent: (event) => void told.push(event) })
    await Promise.all(['t1', 't1', 'globex', 't3', undefined].map((tenantId) => mint(tokens, tenantId === undefined ? {} : { tenantId })))
    told.length = 0
    const partner = { id: 'pat', tenants: ['t1', 'globex'], manages: 'all' } as const
    expect(await tokens.as(partner).revokeAll({ all: true })).toEqual({ count: 3 })
    expect(await tokens.as(partner).revokeAll({ all: true })).toEqual({ count: 0 })
    expect(told.map(({ action, tenantId, count }) => [action, tenantId, count]).sort()).toEqual([
      ['tokens.revoked', 'globex', 1],
      ['tokens.revoked', 't1', 2],
    ])
    expect(new Set(told.map(({ bulkId }) => bulkId)).size).toBe(1)
    expect(new Set(told.map(({ id }) => id)).size).toBe(2)
    const { items } = await tokens.as({ id: 'tom', tenants: ['t1'], manages: 'all' }).events({ action: 'tokens.revoked' })
    expect(items).toHaveLength(1)
    expect(JSON.stringify(items)).not.toContain('globex')
  })

  it('the trail of a token shows the bulk revocation that revoked it, to everyone who can see the token', async () => {
    const tokens = instance()
    const ann = { id: 'ann', tenants: ['t1'], manages: 'own' } as const
    const { record } = await tokens.as(ann).create({ name: 'Mine', scopes: ['stock:read'], tenantId: 't1' })
    await mint(tokens, { tenantId: 't2' })
    await tokens.system.revokeAll({ all: true, reason: 'moved' })
    await mint(tokens, { tenantId: 't1' })
    await tokens.system.revokeAll({ all: true })
    const { bulkId } = (await tokens.as(ann).get(record.id)) ?? {}
    for (const handle of [tokens.as(ann), tokens.system, tokens.as({ id: 'tom', tenants: ['t1'], manages: 'all' })]) {
      const { items } = await handle.events({ tokenId: record.id })
      expect(items).toMatchObject([
        { action: 'tokens.revoked', tenantId: 't1', count: 1, reason: 'moved', bulkId },
        { action: 'token.created', tokenId: record.id },
      ])
      const pages = [await handle.events({ tokenId: record.id, limit: 1 })]
      pages.push(await handle.events({ tokenId: record.id, limit: 1, cursor: pages[0]?.nextCursor }))
      expect(pages.flatMap((page) => page.items)).toEqual(items)
    }
    for (const stranger of [
      { id: 'tim', tenants: ['t2'], manages: 'all' },
      { id: 'eve', tenants: ['t1'], manages: 'own' },
    ] as const) {
      expect((await tokens.as(stranger).events({ tokenId: record.id })).items).toEqual([])
    }
  })

  it('writes a change and its audit event in the same commit, or neither', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store })
    const { record } = await mint(tokens)
    const { id } = record
    const started = store.calls.length
    await tokens.system.update(id, { name: 'y' })
    await tokens.system.deactivate(id)
    await tokens.system.activate(id)
    await tokens.system.rotate(id, { overlap: 60 })
    await tokens.system.revoke(id)
    await tokens.system.ownerChanged({ ownerId: 'u1' })
    await tokens.system.prune({ before: Date.now() + 1000 })
    const commits = store.calls.slice(started).filter(({ method }) => method === 'commit')
    expect(commits).toHaveLength(7)
    for (const { args } of commits) expect((args[0] as Change).events.length).toBeGreaterThan(0)
    const before = (await tokens.system.events({ limit: 1000 })).items.length
    const other = await mint(tokens)
    store.behave({ commit: { do: 'fail', error: new Error('down') } })
    for (const call of [
      () => tokens.system.update(other.record.id, { name: 'z' }),
      () => tokens.system.revoke(other.record.id),
      () => tokens.system.create({ name: 'x', scopes: [] }),
    ]) {
      expect(await refusal(call())).toMatch(/^store_unavailable/)
    }
    store.behave()
    expect((await tokens.system.events({ limit: 1000 })).items.length).toBe(before + 1)
    expect((await tokens.system.get(other.record.id))?.version).toBe(1)
  })

  for (const answer of [undefined, null, {}, true, { ok: 1 }, { ok: false }]) {
    it(`a change fails and is not announced when the store answers ${JSON.stringify(answer)}`, async () => {
      const told: AuditEvent[] = []
      const store = faultyStore(memoryStore())
      const tokens = instance({ store, onEvent: (event) => told.push(event) })
      const { record } = await mint(tokens)
      store.behave({ commit: { do: 'answer', value: answer }, revokeWhere: { do: 'answer', value: answer } })
      expect(await refusal(tokens.system.revoke(record.id))).toMatch(/^store_unavailable/)
      expect(await refusal(tokens.system.revokeAll({ all: true }))).toMatch(/^store_unavailable/)
      expect(told.map(({ action }) => action)).toEqual(['token.created'])
    })
  }
})

describe('onEvent', () => {
  it('passes every event to onEvent once the event is durable, and ignores errors from onEvent', async () => {
    const store = memoryStore()
    const told: (readonly [AuditEvent, boolean])[] = []
    const tokens = instance({
      store,
      onEvent: (event) => {
        const stored = store.events({ prefix: 'acme_test', limit: 1000 }) as readonly { id: string }[]
        told.push([event, stored.some(({ id }) => id === event.id)])
        if (told.length % 2 === 0) throw new Error('no')
        return Promise.reject(new Error('no'))
      },
    })
    const { record } = await mint(tokens)
    await tokens.system.update(record.id, { name: 'y' })
    await tokens.system.rotate(record.id)
    await tokens.system.revokeAll({ all: true })
    expect(told.map(([{ action }]) => action)).toEqual([
      'token.created',
      'token.updated',
      'token.rotated',
      'token.created',
      'tokens.revoked',
    ])
    expect(told.every(([, durable]) => durable)).toBe(true)
    expect(told.at(-1)?.[0].count).toBe(1)
  })
})
