import type { Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { instance, mint, refusal, type Scope } from '../latchkey/harness.js'

const BOB = { tenantId: 'a', ownerId: 'bob' } as const

/** A store that holds back changes to existing tokens until `release`. */
function heldEdits(): { store: TokenStore; edits: () => number; release: () => void } {
  const inner = memoryStore()
  const { promise, resolve } = deferred()
  let edits = 0
  const commit: TokenStore['commit'] = async (change) => {
    if (change.updates === undefined) return await inner.commit(change)
    edits += 1
    await promise
    return await inner.commit(change)
  }
  return { store: { ...inner, commit }, edits: () => edits, release: resolve }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

async function live(tokens: Latchkey<Scope>): Promise<number> {
  return (await tokens.system.list({ status: ['active', 'pending', 'inactive'], limit: 100 })).items.length
}

describe('maxTokens', () => {
  it('limits the live tokens of an owner within a tenant, no matter who creates them', async () => {
    const tokens = instance({ maxTokens: { perOwner: 2 } })
    await mint(tokens, BOB)
    await mint(tokens, BOB)
    expect(await refusal(mint(tokens, BOB))).toBe('token_limit_reached ownerId')
    const actor = tokens.as({ id: 'bob', tenants: ['a'], manages: 'own' })
    expect(await refusal(actor.create({ name: 'x', tenantId: 'a', scopes: ['stock:read'] }))).toBe('token_limit_reached ownerId')
    for (const other of [{ tenantId: 'b', ownerId: 'bob' }, { ownerId: 'bob' }, { tenantId: 'a', ownerId: 'eve' }, { tenantId: 'a' }]) {
      expect(await refusal(mint(tokens, other))).toBe('done')
    }
  })

  it('limits the live tokens of a tenant, no matter who owns them', async () => {
    const tokens = instance({ maxTokens: { perOwner: 5, perTenant: 2 } })
    await mint(tokens, BOB)
    await mint(tokens, { tenantId: 'a' })
    expect(await refusal(mint(tokens, { tenantId: 'a', ownerId: 'eve' }))).toBe('token_limit_reached tenantId')
    expect(await refusal(mint(tokens, { tenantId: 'b' }))).toBe('done')
    expect(await refusal(mint(tokens))).toBe('done')
  })

  it('enforces maxTokens exactly, even when two instances create many tokens at the same time', async () => {
    const store = memoryStore()
    const nodes = [0, 1].map(() => instance({ store, maxTokens: { perOwner: 7 } }))
    const results = await Promise.allSettled(Array.from({ length: 40 }, (_, turn) => mint(nodes[turn % 2] ?? instance(), BOB)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(7)
  })

  it('counts a token against maxTokens until it is revoked or expires, even while it is inactive', async () => {
    let now = Date.now()
    const tokens = instance({ maxTokens: { perOwner: 1 }, clock: () => now })
    const { record } = await mint(tokens, { ...BOB, expiresIn: 60 })
    await tokens.system.deactivate(record.id)
    expect(await refusal(mint(tokens, BOB))).toBe('token_limit_reached ownerId')
    now += 60_000
    const { record: second } = await mint(tokens, BOB)
    await tokens.system.revoke(second.id)
    expect(await refusal(mint(tokens, BOB))).toBe('done')
  })

  it('refuses an edit that would revive an expired token beyond maxTokens', async () => {
    let now = Date.now()
    const tokens = instance({ maxTokens: { perOwner: 1 }, clock: () => now })
    const { record } = await mint(tokens, { ...BOB, expiresIn: 60 })
    now += 60_000
    const { record: other } = await mint(tokens, BOB)
    expect(await refusal(tokens.system.update(record.id, { expiresIn: 60 }))).toBe('token_limit_reached ownerId')
    expect(await refusal(tokens.system.update(record.id, { name: 'Old' }))).toBe('done')
    await tokens.system.revoke(other.id)
    expect(await refusal(tokens.system.update(record.id, { expiresIn: 60 }))).toBe('done')
  })

  it.each(['inactive', 'not yet valid'] as const)(
    'refuses an edit that would revive an expired token beyond maxTokens, even if the token was %s when it expired',
    async (state) => {
      let now = Date.now()
      const tokens = instance({ maxTokens: { perOwner: 1 }, clock: () => now })
      const { record } = await mint(tokens, { ...BOB, expiresIn: 60 })
      if (state === 'inactive') await tokens.system.deactivate(record.id)
      now += 60_000
      await mint(tokens, BOB)
      const changes = { expiresAt: null, ...(state === 'not yet valid' && { notBefore: new Date(now + 60_000) }) }
      expect(await refusal(tokens.system.update(record.id, changes))).toBe('token_limit_reached ownerId')
    },
  )

  it('tokens extended just before they expire cannot evade maxTokens, even if the store commits the edits after newer tokens', async () => {
    let now = Date.now()
    const { store, edits, release } = heldEdits()
    const tokens = instance({ store, maxTokens: { perOwner: 2 }, clock: () => now })
    const made = [await mint(tokens, { ...BOB, expiresIn: 60 }), await mint(tokens, { ...BOB, expiresIn: 60 })]
    now += 59_999
    const extended = made.map(({ record }) => refusal(tokens.system.update(record.id, { expiresAt: null })))
    await expect.poll(edits).toBe(2)
    now += 1
    const other = instance({ store, maxTokens: { perOwner: 2 }, clock: () => now })
    await mint(other, BOB)
    await mint(other, BOB)
    release()
    expect(await Promise.all(extended)).toEqual(['token_limit_reached ownerId', 'token_limit_reached ownerId'])
    expect(await live(other)).toBe(2)
  })

  it.each([{ overlap: 3600 }, { overlap: 3600, ownerId: 'eve' }])(
    'tokens rotated with %o just before they expire cannot evade maxTokens',
    async (input) => {
      let now = Date.now()
      const { store, edits, release } = heldEdits()
      const tokens = instance({ store, maxTokens: { perOwner: 1, perTenant: 2 }, clock: () => now })
      const { record } = await mint(tokens, { ...BOB, expiresIn: 60 })
      now += 59_999
      const rotated = refusal(tokens.system.rotate(record.id, input))
      await expect.poll(edits).toBe(1)
      now += 1
      const other = instance({ store, maxTokens: { perOwner: 1, perTenant: 2 }, clock: () => now })
      await mint(other, BOB)
      await mint(other, { ...BOB, ownerId: 'eve' })
      release()
      await rotated
      expect(await live(other)).toBe(2)
    },
  )

  it('tokens extended by a node whose clock is minutes behind cannot evade maxTokens', async () => {
    const now = Date.now()
    const store = memoryStore()
    const behind = instance({ store, maxTokens: { perTenant: 1 }, clock: () => now })
    const ahead = instance({ store, maxTokens: { perTenant: 1 }, clock: () => now + 300_000 })
    const { record } = await mint(behind, { ...BOB, expiresIn: 300 })
    await mint(ahead, BOB)
    expect(await refusal(behind.system.update(record.id, { expiresIn: 900 }))).toBe('token_limit_reached tenantId')
    expect(await live(ahead)).toBe(1)
  })

  it('does not refuse to extend a live token of an owner that is exactly at the limit', async () => {
    let now = Date.now()
    const tokens = instance({ maxTokens: { perOwner: 2, perTenant: 2 }, clock: () => now })
    const { record } = await mint(tokens, { ...BOB, expiresIn: 60 })
    await mint(tokens, BOB)
    now += 59_999
    expect(await refusal(tokens.system.update(record.id, { expiresIn: 60 }))).toBe('done')
    expect(await refusal(tokens.system.update(record.id, { expiresAt: null }))).toBe('done')
    expect(await refusal(mint(tokens, BOB))).toBe('token_limit_reached ownerId')
  })

  it('an owner above a lowered limit can still extend tokens, except in the last ten minutes before they expire', async () => {
    let now = Date.now()
    const store = memoryStore()
    const before = instance({ store, clock: () => now })
    const { record } = await mint(before, { ...BOB, expiresIn: 3600 })
    const { record: other } = await mint(before, { ...BOB, expiresIn: 3600 })
    const tokens = instance({ store, maxTokens: { perOwner: 1 }, clock: () => now })
    now += 2_999_999
    expect(await refusal(tokens.system.update(record.id, { expiresIn: 7200 }))).toBe('done')
    now += 1
    expect(await refusal(tokens.system.update(other.id, { expiresIn: 7200 }))).toBe('token_limit_reached ownerId')
    expect(await refusal(tokens.system.update(other.id, { name: 'Other' }))).toBe('done')
    expect(await refusal(tokens.system.update(other.id, { expiresIn: 300 }))).toBe('done')
    await tokens.system.revoke(record.id)
    expect(await refusal(tokens.system.update(other.id, { expiresIn: 7200 }))).toBe('done')
  })

  it('rotations cannot evade maxTokens after a revoked token between two live ones is removed', async () => {
    let now = Date.now()
    const tokens = instance({ maxTokens: { perOwner: 1 }, clock: () => now })
    let { record } = await mint(tokens, BOB)
    let refused: string | undefined
    for (let rounds = 0; rounds < 15 && refused === undefined; rounds += 1) {
      const first = await tokens.system.rotate(record.id, { overlap: '90d' }).catch((error) => error)
      if (first instanceof Error) {
        refused = await refusal(Promise.reject(first))
        continue
      }
      record = (await tokens.system.rotate(first.record.id)).record
      now += 86_400_000
      await tokens.system.prune({ before: new Date(now - 3_600_000) })
    }
    expect(refused).toBe('token_limit_reached ownerId')
    expect((await tokens.system.list({ ...BOB, status: ['active'] })).items.length).toBeLessThanOrEqual(11)
  })

  it('never blocks a rotation by maxTokens, even with an overlap and after the limit is lowered', async () => {
    const store = memoryStore()
    const made = await Promise.all(Array.from({ length: 30 }, () => mint(instance({ store }), BOB)))
    const tokens = instance({ store, maxTokens: { perOwner: 1, perTenant: 1 } })
    for (const { record } of made) expect(await refusal(tokens.system.rotate(record.id, { overlap: '1h' }))).toBe('done')
    expect(await refusal(mint(tokens, BOB))).toBe('token_limit_reached ownerId')
  })

  it('a predecessor that expired while inactive never blocks a rotation', async () => {
    let now = Date.now()
    const store = memoryStore()
    const before = instance({ store, clock: () => now })
    await Promise.all(Array.from({ length: 30 }, () => mint(before, BOB)))
    const { record } = await mint(before, BOB)
    const { record: successor } = await before.system.rotate(record.id, { overlap: '1h' })
    await before.system.deactivate(record.id)
    const tokens = instance({ store, clock: () => now, maxTokens: { perOwner: 1 } })
    expect(await refusal(tokens.system.rotate(successor.id, { overlap: '1h' }))).toBe('token_limit_reached ownerId')
    now += 3_600_000
    expect(await refusal(tokens.system.rotate(successor.id, { overlap: '1h' }))).toBe('done')
  })

  it('keeps repeated rotations within overlaps from evading maxTokens', async () => {
    const tokens = instance({ maxTokens: { perOwner: 2 } })
    let { id } = (await mint(tokens, BOB)).record
    let rotated = 0
    for (; rotated < 50; rotated += 1) {
      // Every second rotation ends its token immediately, which leaves gaps in the lineage.
      const next = await tokens.system.rotate(id, { overlap: rotated % 2 === 0 ? '90d' : 0 }).catch(() => undefined)
      if (next === undefined) break
      id = next.record.id
    }
    const live = await tokens.system.list({ ownerId: 'bob', status: 'active', limit: 100 })
    expect(live.items.length).toBeLessThanOrEqual(12)
    expect(rotated).toBeGreaterThan(10)
    expect(await refusal(tokens.system.rotate(id, { overlap: '90d' }))).toBe('token_limit_reached ownerId')
    expect(await refusal(tokens.system.rotate(id))).toBe('done')
  })

  it('replays a retried creation with the same key even when maxTokens is reached', async () => {
    const tokens = instance({ maxTokens: { perOwner: 1 } })
    const input = { name: 'ERP', scopes: ['stock:read'], ...BOB, idempotencyKey: 'k' } as const
    const first = await tokens.system.create(input)
    expect(await tokens.system.create(input)).toMatchObject({ replayed: true, record: { id: first.record.id } })
  })

  it.each([
    [{ maxTokens: { perOwner: 0 } }, 'maxTokens.perOwner'],
    [{ maxTokens: { perOwner: 1.5 } }, 'maxTokens.perOwner'],
    [{ maxTokens: { perTenant: '5' } }, 'maxTokens.perTenant'],
    [{ maxTokens: { perTenant: undefined } }, 'maxTokens.perTenant'],
    [{ maxTokens: { perUser: 5 } }, 'maxTokens.perUser'],
    [{ maxTokens: 5 }, 'maxTokens'],
    [{ maxTokens: undefined }, 'maxTokens'],
  ])('rejects the maxTokens option %j and names it', async (options, field) => {
    expect(await refusal(Promise.resolve().then(() => instance(options as never)))).toBe(`invalid_input ${field}`)
  })
})
