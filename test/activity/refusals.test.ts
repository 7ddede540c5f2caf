import type { AuditEvent } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { instance, mint, pause, principalOf, until, warm } from '../latchkey/harness.js'

const total = (events: readonly AuditEvent[]): number => events.reduce((sum, { count }) => sum + (count ?? 0), 0)

describe('refused uses of a known token', () => {
  it('however many uses of a token are refused, only a few events with the correct total are written', async () => {
    const store = memoryStore()
    const tokens = instance({ store, usage: { flushEvery: 0.02 } })
    const { token, record } = await mint(tokens)
    await tokens.system.revoke(record.id)
    const before = await warm(tokens, token)
    for (let use = 0; use < 100_000; use += 1) {
      void deciderOf(tokens).decide(token, { ip: '10.0.0.1' })
      if (use % 10_000 === 0) await pause(5)
    }
    await tokens.close()
    const { items } = await instance({ store }).system.events({ action: 'token.refused', limit: 1000 })
    expect(items.length).toBeLessThan(10)
    expect(total(items)).toBe(100_000 + before)
    expect(items[0]).toMatchObject({ tokenId: record.id, code: 'token_revoked', ip: '10.0.0.1', actorId: `token:${record.id}` })
  })

  it('refused uses of a token are recorded separately by reason', async () => {
    let now = Date.now()
    const store = memoryStore()
    const tokens = instance({ store, clock: () => now })
    const seen: { [code: string]: string } = {}
    const ip = { ip: '10.0.0.1' }
    const of = async (code: string, make: () => Promise<{ token: string; id: string }>) => {
      const { token, id } = await make()
      seen[code] = id
      expect(await tokens.verify(token, ip)).toMatchObject({ ok: false, code })
    }
    await of('token_expired', async () => {
      const { token, record } = await mint(tokens, { expiresIn: 1 })
      now += 1000
      return { token, id: record.id }
    })
    await of('token_not_yet_valid', async () => {
      const { token, record } = await mint(tokens, { notBefore: now + 5000 })
      return { token, id: record.id }
    })
    await of('token_inactive', async () => {
      const { token, record } = await mint(tokens)
      await tokens.system.deactivate(record.id)
      return { token, id: record.id }
    })
    await of('ip_denied', async () => {
      const { token, record } = await mint(tokens, { allowedIps: [] })
      return { token, id: record.id }
    })
    const { token, record } = await mint(tokens)
    deciderOf(tokens).countUse(await principalOf(deciderOf(tokens).decide(token, ip)), {
      ip: '::ffff:10.0.0.1',
      outcome: 'resource_denied',
    })
    seen.resource_denied = record.id
    await tokens.close()
    const { items } = await instance({ store }).system.events({ action: 'token.refused' })
    expect(Object.fromEntries(items.map(({ code, tokenId }) => [code, tokenId]))).toEqual(seen)
    expect(new Set(items.map((event) => event.ip))).toEqual(new Set(['10.0.0.1']))
  })

  it('refused uses of a huge number of tokens cause a limited number of events, and every refused use is counted', async () => {
    const store = memoryStore()
    const tokens = instance({ store, usage: { flushEvery: 0.02 }, deadline: '60s' })
    const made = await Promise.all(Array.from({ length: 2500 }, () => mint(tokens)))
    await tokens.system.revokeAll({ all: true })
    const writes: number[] = []
    for (const { token } of made) await tokens.verify(token)
    for (let round = 0; round < 10; round += 1) {
      await pause(20)
      writes.push((await tokens.system.events({ action: 'token.refused', limit: 1000 })).items.length)
    }
    expect(Math.max(...writes)).toBeLessThanOrEqual(121)
    await tokens.close()
    let sum = 0
    let cursor: string | undefined
    const reader = instance({ store })
    do {
      const page = await reader.system.events({ action: 'token.refused', limit: 1000, cursor })
      sum += total(page.items)
      cursor = page.nextCursor
    } while (cursor !== undefined)
    expect(sum).toBe(2500)
  })

  it.each([
    ['a tenant', { tenantId: 'mallory' }, { tenantId: 'victim' }],
    ['an owner without a tenant', { ownerId: 'mallory' }, { ownerId: 'victim' }],
  ])('a flood of refused uses of %s does not hide the refused uses of another tenant or owner', async (_, flood, other) => {
    const tokens = instance({ usage: { flushEvery: 60 }, deadline: '60s' })
    const made = await Promise.all(Array.from({ length: 2100 }, () => mint(tokens, flood)))
    const victims = [await mint(tokens, other), await mint(tokens, other)]
    await tokens.system.revokeAll({ all: true })
    for (const { token } of [...made, ...victims]) await tokens.verify(token)
    await tokens.flush()
    const told: AuditEvent[] = []
    for (const { record } of victims) told.push(...(await tokens.system.events({ tokenId: record.id, action: 'token.refused' })).items)
    expect(told.map(({ count }) => count)).toEqual([1, 1])
  })

  it("a tenant's flood of refused uses does not keep another tenant's refused uses from being recorded", async () => {
    const tokens = instance({ usage: { flushEvery: 0.02 }, deadline: '60s' })
    const made = await Promise.all(Array.from({ length: 500 }, () => mint(tokens, { tenantId: 'mallory' })))
    const victim = await mint(tokens, { tenantId: 'victim' })
    await tokens.system.revokeAll({ all: true })
    for (const { token } of [...made, victim]) await tokens.verify(token)
    const told = async (input: object) => (await tokens.system.events({ action: 'token.refused', limit: 1000, ...input })).items
    await until(async () => (await told({ tokenId: victim.record.id })).length === 1)
    expect((await told({})).length).toBeLessThanOrEqual(121)
  })

  for (const [what, fault] of Object.entries({
    fails: { do: 'fail', error: new Error('down') },
    'loses its response': { do: 'fail-after', error: new Error('reset') },
    hangs: { do: 'hang' },
    'is slow': { do: 'delay', milliseconds: 40 },
  } as const)) {
    it(`counts refused uses once when writing them ${what}`, async () => {
      const shared = memoryStore()
      const store = faultyStore(shared)
      const told: AuditEvent[] = []
      const tokens = instance({
        store,
        usage: { flushEvery: 0.01 },
        deadline: 0.15,
        onEvent: (event) => void (event.action === 'token.refused' && told.push(event)),
      })
      const made = await Promise.all([mint(tokens), mint(tokens), mint(tokens)])
      await tokens.system.revokeAll({ all: true })
      store.behave(({ method, number }) => (method === 'commit' && number % 3 !== 0 ? fault : undefined))
      for (const { token } of made) {
        await tokens.verify(token)
        await pause(30)
      }
      await pause(100)
      store.behave()
      await tokens.close()
      const { items } = await instance({ store: shared }).system.events({ action: 'token.refused' })
      expect(total(items)).toBe(3)
      expect(new Set(items.map(({ tokenId }) => tokenId)).size).toBe(3)
      expect(told.length).toBeLessThanOrEqual(items.length)
    })
  }

  it('a request never fails because refused uses cannot be written', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, usage: { flushEvery: 0.01 } })
    const { token, record } = await mint(tokens)
    await tokens.system.revoke(record.id)
    store.behave({ commit: { do: 'fail', error: undefined, how: 'throw' } })
    for (let use = 0; use < 20; use += 1) {
      expect(await tokens.verify(token)).toMatchObject({ code: 'token_revoked' })
      await pause(3)
    }
    store.behave()
  })
})
