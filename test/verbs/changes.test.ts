import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { deferred } from '../../src/store/deferred.js'
import type { ListQuery } from '../../src/store/port.js'
import { instance, mint, pause, principalOf, refusal, until, verdict } from '../latchkey/harness.js'

describe('update', () => {
  it('no change is lost when a hundred updates without a version race', async () => {
    const store = interceptStore(memoryStore(), async (_, proceed) => {
      await new Promise((resolve) => setImmediate(resolve))
      return proceed()
    })
    const tokens = instance({ store, cache: false, deadline: '60s' })
    const { record } = await mint(tokens)
    // Each update adds its own change to what it finds. The names differ, so each update is a change.
    await Promise.all(Array.from({ length: 100 }, (_, n) => tokens.system.update(record.id, { name: `n${n}`, metadata: { [`k${n}`]: n } })))
    const after = await tokens.system.get(record.id)
    expect(after?.version).toBe(101)
    const events = await tokens.system.events({ tokenId: record.id, action: 'token.updated', limit: 1000 })
    expect(events.items).toHaveLength(100)
    expect(new Set(events.items.map(({ after: now }) => now?.name)).size).toBe(100)
    // Each event starts where the previous one ended, so no update overwrote a state that it had not read.
    const names = events.items.map(({ before }) => before?.name)
    expect(names.slice(0, -1)).toEqual(events.items.slice(1).map(({ after: now }) => now?.name))
  })

  it('rejects an update with a stale version, names the current version, and changes nothing', async () => {
    const tokens = instance()
    const { record } = await mint(tokens)
    await tokens.system.update(record.id, { name: 'second' }, { version: 1 })
    await expect(tokens.system.update(record.id, { name: 'third' }, { version: 1 })).rejects.toMatchObject({
      code: 'conflict',
      version: 2,
    })
    for (const verb of ['activate', 'deactivate'] as const) {
      await expect(tokens.system[verb](record.id, { version: 1 })).rejects.toMatchObject({ code: 'conflict', version: 2 })
    }
    expect(await tokens.system.get(record.id)).toMatchObject({ name: 'second', version: 2, status: 'active' })
    for (const version of [0, -1, 1.5, Number.NaN, '1', null] as unknown as number[]) {
      expect(await refusal(tokens.system.update(record.id, { name: 'x' }, { version }))).toBe('invalid_input version')
    }
  })

  it('accepts exactly one of a hundred updates with the same version', async () => {
    const tokens = instance()
    const { record } = await mint(tokens)
    const answers = await Promise.allSettled(
      Array.from({ length: 100 }, (_, n) => tokens.system.update(record.id, { name: `n${n}` }, { version: 1 })),
    )
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('update() skips undefined fields, removes null fields, and writes nothing if nothing changes', async () => {
    const tokens = instance()
    const { record } = await mint(tokens, { description: 'd', metadata: { a: 1 }, expiresIn: 60 })
    const same = await tokens.system.update(record.id, { name: undefined, description: 'd', scopes: ['stock:read'] })
    expect(same.version).toBe(1)
    expect((await tokens.system.events({ action: 'token.updated' })).items).toHaveLength(0)
    const bare = await tokens.system.update(record.id, { description: null, metadata: null, expiresAt: null })
    expect(bare.version).toBe(2)
    expect(Object.keys(bare)).not.toEqual(expect.arrayContaining(['description']))
    expect([bare.description, bare.metadata, bare.expiresAt]).toEqual([undefined, undefined, undefined])
  })

  it('applies an update immediately', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens, { scopes: ['stock:read', 'stock:write'] })
    const before = await principalOf(tokens.verify(token))
    expect(before.allows('stock:write')).toBe(true)
    await tokens.system.update(record.id, { scopes: ['stock:read'] })
    expect((await principalOf(tokens.verify(token))).allows('stock:write')).toBe(false)
    await tokens.system.update(record.id, { allowedIps: ['10.0.0.1'] })
    expect(await verdict(tokens.verify(token, { ip: '10.0.0.2' }))).toBe('ip_denied')
    expect(await verdict(tokens.verify(token))).toBe('ip_denied')
    expect(await verdict(tokens.verify(token, { ip: '::ffff:10.0.0.1' }))).toBe('ok')
  })
})

describe('revocation', () => {
  it('never revives a revoked token', async () => {
    const store = memoryStore()
    let now = Date.now()
    const tokens = instance({ store, clock: () => now })
    const { token, record } = await mint(tokens)
    const first = await tokens.system.revoke(record.id, { reason: 'leaked' })
    for (const step of [-3_600_000, 3_600_000, -86_400_000]) {
      now += step
      const again = await tokens.as({ id: 'ann', tenants: '*', manages: 'all' }).revoke(record.id, { reason: 'other' })
      expect(again).toMatchObject({ revokedAt: first.revokedAt, revokedBy: 'system', revokedReason: 'leaked', version: first.version })
      const attempts = [
        tokens.system.activate(record.id),
        tokens.system.deactivate(record.id),
        tokens.system.update(record.id, { name: 'x' }),
        tokens.system.update(record.id, { expiresAt: now + 1e9 }),
        tokens.system.rotate(record.id),
      ]
      for (const refused of await Promise.all(attempts.map(refusal))) expect(refused).toMatch(/^conflict/)
      expect(await verdict(tokens.verify(token))).toBe('token_revoked')
    }
    expect(await verdict(instance({ store }).verify(token))).toBe('token_revoked')
    expect((await tokens.system.events({ action: 'token.revoked' })).items).toHaveLength(1)
  })

  it('revocation overrides every other status', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const { token, record } = await mint(tokens, { notBefore: now + 1000, expiresIn: 60 })
    expect((await tokens.system.get(record.id))?.status).toBe('pending')
    await tokens.system.deactivate(record.id)
    expect((await tokens.system.get(record.id))?.status).toBe('inactive')
    await tokens.system.revoke(record.id)
    now += 100_000
    expect((await tokens.system.get(record.id))?.status).toBe('revoked')
    expect(await verdict(tokens.verify(token))).toBe('token_revoked')
  })

  it('revokes only matching tokens in bulk', async () => {
    const tokens = instance()
    const a = await mint(tokens, { tenantId: 't1', ownerId: 'u1' })
    const b = await mint(tokens, { tenantId: 't1', ownerId: 'u2' })
    const c = await mint(tokens, { tenantId: 't2', ownerId: 'u1' })
    const d = await mint(tokens)
    const states = async () => Promise.all([a, b, c, d].map(({ token }) => verdict(tokens.verify(token))))
    expect(await tokens.system.revokeAll({ tenantId: 't9' })).toEqual({ count: 0 })
    expect(await tokens.system.revokeAll({ tenantId: 't1', ownerId: 'u1' })).toEqual({ count: 1 })
    expect(await states()).toEqual(['token_revoked', 'ok', 'ok', 'ok'])
    expect(await tokens.system.revokeAll({ ownerId: 'u1', reason: 'left' })).toEqual({ count: 1 })
    expect(await states()).toEqual(['token_revoked', 'ok', 'token_revoked', 'ok'])
    expect(await tokens.system.revokeAll({ all: true })).toEqual({ count: 2 })
    expect(await states()).toEqual(['token_revoked', 'token_revoked', 'token_revoked', 'token_revoked'])
    expect(await tokens.system.revokeAll({ all: true })).toEqual({ count: 0 })
  })

  it('refuses a bulk revocation whose filter is missing or malformed', async () => {
    const tokens = instance()
    const { token } = await mint(tokens)
    const vague: readonly (readonly [unknown, string])[] = [
      [{}, 'revokeAll()'],
      [undefined, 'revokeAll()'],
      [{ tenantId: undefined }, 'tenantId'],
      [{ ownerId: undefined, tenantId: 't1' }, 'ownerId'],
      [{ all: undefined }, 'all'],
      [{ all: false }, 'all'],
      [{ all: 'true' }, 'all'],
      [{ all: true, tenantId: 't1' }, 'all'],
      [{ tenantId: '' }, 'tenantId'],
      [{ tenantId: null }, 'tenantId'],
      [{ tenant: 't1' }, 'tenant'],
    ]
    for (const [input, field] of vague) {
      expect(await refusal(tokens.system.revokeAll(input as { all: true }))).toBe(`invalid_input ${field}`)
    }
    expect(await verdict(tokens.verify(token))).toBe('ok')
  })
})

describe('prune', () => {
  it('prunes tokens that ended before the given instant, keeps their audit log, and returns the count', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const alive = await mint(tokens)
    const revoked = await mint(tokens)
    await tokens.system.revoke(revoked.record.id)
    const expired = await mint(tokens, { expiresIn: 10 })
    now += 100_000
    const fresh = await mint(tokens)
    await tokens.system.revoke(fresh.record.id)
    expect(await tokens.system.prune({ before: now - 50_000 })).toEqual({ count: 2 })
    const left = (await tokens.system.list()).items.map(({ id }) => id)
    expect(left.sort()).toEqual([alive.record.id, fresh.record.id].sort())
    expect(await verdict(tokens.verify(expired.token))).toBe('token_unknown')
    expect(await verdict(tokens.verify(alive.token))).toBe('ok')
    expect((await tokens.system.events({ tokenId: expired.record.id })).items.map(({ action }) => action)).toContain('token.created')
    const removed = (await tokens.system.events({ action: 'token.pruned' })).items.map(({ tokenId }) => tokenId)
    expect(removed.sort()).toEqual([revoked.record.id, expired.record.id].sort())
  })

  it('two nodes that prune at the same time write one event for each token, and count each token once', async () => {
    const store = memoryStore()
    let removals = 0
    const both = deferred<void>()
    const together = interceptStore(store, async ({ method, args }, proceed) => {
      const [change] = args as [{ removals?: readonly string[] }]
      if (method === 'commit' && change.removals !== undefined) {
        removals += 1
        if (removals === 2) both.resolve()
        await both.promise
      }
      return proceed()
    })
    const nodes = [instance({ store: together }), instance({ store: together })] as const
    for (let turn = 0; turn < 30; turn += 1) await mint(nodes[0])
    await nodes[0].system.revokeAll({ all: true })
    const revokedAt = Date.now()
    await until(() => Date.now() > revokedAt)
    const counts = await Promise.all(nodes.map((node) => node.system.prune({ before: new Date() })))
    expect(counts.map(({ count }) => count).sort()).toEqual([0, 30])
    const pruned = (await nodes[0].system.events({ action: 'token.pruned', limit: 100 })).items.map(({ tokenId }) => tokenId)
    expect(pruned).toHaveLength(30)
    expect(new Set(pruned).size).toBe(30)
  })

  it('prunes tokens that expired while inactive, and keeps other inactive tokens', async () => {
    let now = 1_700_000_000_000
    const tokens = instance({ clock: () => now })
    const [expired, late, endless] = await Promise.all([mint(tokens, { expiresIn: 60 }), mint(tokens, { expiresIn: 3600 }), mint(tokens)])
    for (const { record } of [expired, late, endless]) await tokens.system.deactivate(record.id)
    now += 1_000_000
    expect(await tokens.system.prune({ before: now - 500_000 })).toEqual({ count: 1 })
    expect((await tokens.system.list()).items.map(({ id }) => id).sort()).toEqual([late.record.id, endless.record.id].sort())
  })

  it('prune lists one status at a time, so none of its pages reads every token', async () => {
    const lists: unknown[] = []
    const store = interceptStore(memoryStore(), ({ method, args }, proceed) => {
      if (method === 'list') lists.push((args[0] as ListQuery).statuses)
      return proceed()
    })
    const tokens = instance({ store })
    await tokens.system.prune({ before: Date.now() - 1000 })
    expect(lists).toEqual([['revoked'], ['inactive'], ['expired']])
  })

  it('prunes more than one page of tokens', async () => {
    const tokens = instance()
    await Promise.all(Array.from({ length: 450 }, () => mint(tokens, { tenantId: 't1' })))
    await tokens.system.revokeAll({ tenantId: 't1' })
    expect(await tokens.system.prune({ before: Date.now() + 1 })).toEqual({ count: 450 })
    expect((await tokens.system.list()).items).toHaveLength(0)
  })

  it('never prunes a token that a concurrent edit brings back', async () => {
    for (let round = 0; round < 30; round += 1) {
      let now = Date.now()
      const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
        if (method !== 'subscribe') for (let turn = 0; turn < round % 4; turn += 1) await pause(0)
        return proceed()
      })
      const tokens = instance({ store, clock: () => now })
      const { token, record } = await mint(tokens, { expiresIn: 1 })
      now += 10_000
      const [edit] = await Promise.allSettled([
        tokens.system.update(record.id, { expiresAt: now + 60_000 }),
        tokens.system.prune({ before: now - 1000 }),
      ])
      const after = await verdict(tokens.verify(token))
      expect(after).toBe(edit.status === 'fulfilled' ? 'ok' : 'token_unknown')
    }
  })

  it('only actors who can see every token can prune', async () => {
    const tokens = instance()
    expect(await refusal(tokens.as({ id: 'a', tenants: ['t1'], manages: 'all' }).prune({ before: 0 }))).toBe('grant_denied actor')
    expect(await refusal(tokens.as({ id: 'a', tenants: '*', manages: 'own' }).prune({ before: 0 }))).toBe('grant_denied actor')
    expect(await refusal(tokens.system.prune({} as { before: Date }))).toBe('invalid_input before')
  })
})
