import type { OwnerPermissions } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { type Deferred, deferred } from '../../src/store/deferred.js'
import { instance, mint, pause, principalOf, until, verdict, warm } from '../latchkey/harness.js'

/** Owners whose scopes a test can change, and the number of lookups of each. */
function directory() {
  const scopes = new Map<string, readonly string[] | null>()
  let asked = 0
  return {
    scopes,
    get asked() {
      return asked
    },
    owner: async ({ ownerId }: { readonly ownerId: string }) => {
      asked += 1
      const held = scopes.get(ownerId)
      return held == null ? null : { scopes: held }
    },
  }
}

describe('the scopes of an owner', () => {
  it('limits a token to the current permissions of its owner', async () => {
    const owners = directory()
    const tokens = instance({ owner: owners.owner })
    const { token } = await mint(tokens, { ownerId: 'u1', scopes: ['stock:read', 'stock:write'] })
    for (const [scopes, expected] of [
      [['stock:read', 'billing:read'], ['stock:read']],
      [['stock:*'], ['stock:read', 'stock:write']],
      [[], []],
      [['nothing:known'], []],
    ] as const) {
      owners.scopes.set('u1', scopes)
      expect((await principalOf(tokens.verify(token))).scopes).toEqual(expected)
    }
    owners.scopes.delete('u1')
    expect(await verdict(tokens.verify(token))).toBe('owner_denied')
  })

  it('looks up the owner on every verification by default, and never for a token without an owner', async () => {
    const owners = directory()
    owners.scopes.set('u1', ['stock:read'])
    const tokens = instance({ owner: owners.owner })
    const { token } = await mint(tokens, { ownerId: 'u1' })
    for (let use = 0; use < 5; use += 1) await tokens.verify(token)
    expect(owners.asked).toBe(5)
    await tokens.verify((await mint(tokens)).token)
    expect(owners.asked).toBe(5)
  })

  it('looks up an owner with its tenant, and caches each tenant separately', async () => {
    const seen: unknown[] = []
    const tokens = instance({
      owner: (owner) => {
        seen.push(owner)
        return owner.tenantId === 't1' ? { scopes: ['stock:read'] } : null
      },
      cache: { ownerStaleness: 30 },
    })
    const here = await mint(tokens, { ownerId: 'u1', tenantId: 't1' })
    const there = await mint(tokens, { ownerId: 'u1', tenantId: 't2' })
    const nowhere = await mint(tokens, { ownerId: 'u1' })
    await warm(tokens, (await mint(tokens)).token)
    for (let use = 0; use < 3; use += 1) {
      expect(await Promise.all([here, there, nowhere].map(({ token }) => verdict(tokens.verify(token))))).toEqual([
        'ok',
        'owner_denied',
        'owner_denied',
      ])
    }
    expect(seen.slice(0, 3)).toEqual([{ ownerId: 'u1', tenantId: 't1' }, { ownerId: 'u1', tenantId: 't2' }, { ownerId: 'u1' }])
  })

  it('concurrent verifications share one lookup of a cached owner, also after a change and after a failure', async () => {
    let asked = 0
    let fails = false
    const held = { lookup: deferred<void>() }
    const tokens = instance({
      owner: async () => {
        asked += 1
        await held.lookup.promise
        if (fails) throw new Error('the directory is down')
        return { scopes: ['stock:read'] }
      },
      cache: { ownerStaleness: 30 },
    })
    const { token } = await mint(tokens, { ownerId: 'u1' })
    await warm(tokens, (await mint(tokens)).token)
    const many = async (expected: string, whileAsked: () => void = () => undefined): Promise<void> => {
      held.lookup = deferred<void>()
      const answers = Promise.all(Array.from({ length: 50 }, () => verdict(tokens.verify(token))))
      await until(() => asked > 0)
      await pause(20)
      whileAsked()
      held.lookup.resolve()
      expect(new Set(await answers)).toEqual(new Set([expected]))
    }
    await many('ok')
    expect(asked).toBe(1)
    await tokens.system.ownerChanged({ ownerId: 'u1' })
    fails = true
    asked = 0
    await many('store_unavailable')
    expect(asked).toBe(1)
    fails = false
    asked = 0
    await many('ok')
    expect(asked).toBe(1)
  })

  it('a lookup that is never answered holds up only the verifications that join it at its beginning', async () => {
    let asked = 0
    const tokens = instance({
      owner: () => {
        asked += 1
        return asked === 1 ? new Promise(() => undefined) : { scopes: ['stock:read'] }
      },
      deadline: 0.4,
      cache: { ownerStaleness: 30 },
    })
    const { token } = await mint(tokens, { ownerId: 'u1' })
    await warm(tokens, (await mint(tokens)).token)
    const first = verdict(tokens.verify(token))
    await until(() => asked === 1)
    await pause(150)
    expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(await first).toBe('store_unavailable')
    expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(asked).toBe(2)
  })

  it('a verification after ownerChanged() does not join a lookup that began before', async () => {
    const lookups: Deferred<{ scopes: readonly string[] } | null>[] = []
    const tokens = instance({
      owner: () => {
        const lookup = deferred<{ scopes: readonly string[] } | null>()
        lookups.push(lookup)
        return lookup.promise
      },
      cache: { ownerStaleness: 30 },
    })
    const { token } = await mint(tokens, { ownerId: 'u1' })
    await warm(tokens, (await mint(tokens)).token)
    const before = verdict(tokens.verify(token))
    await until(() => lookups.length === 1)
    await tokens.system.ownerChanged({ ownerId: 'u1' })
    const after = verdict(tokens.verify(token))
    await until(() => lookups.length === 2)
    lookups[1]?.resolve(null)
    expect(await after).toBe('owner_denied')
    lookups[0]?.resolve({ scopes: ['stock:read'] })
    await before
    expect(await verdict(tokens.verify(token))).toBe('owner_denied')
  })

  it('looks up a cached owner again after ownerStaleness', async () => {
    const owners = directory()
    owners.scopes.set('u1', ['stock:read'])
    const tokens = instance({ owner: owners.owner, cache: { ownerStaleness: 0.1 } })
    const { token } = await mint(tokens, { ownerId: 'u1' })
    await warm(tokens, (await mint(tokens)).token)
    await tokens.verify(token)
    await warm(tokens, token)
    const before = owners.asked
    await tokens.verify(token)
    expect(owners.asked).toBe(before)
    owners.scopes.set('u1', null)
    await pause(110)
    expect(await verdict(tokens.verify(token))).toBe('owner_denied')
  })

  it('looks up owners again while the feed cannot be read', async () => {
    const owners = directory()
    owners.scopes.set('u1', ['stock:read'])
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, owner: owners.owner, cache: { maxStaleness: 0.1, ownerStaleness: 60 } })
    const { token } = await mint(tokens, { ownerId: 'u1' })
    await warm(tokens, (await mint(tokens)).token)
    await tokens.verify(token)
    await warm(tokens, token)
    store.behave({ changes: { do: 'fail', error: new Error('down') } })
    await pause(120)
    owners.scopes.set('u1', null)
    expect(await verdict(tokens.verify(token))).toBe('owner_denied')
  })

  it('looks up owners again once the history of the feed is gone, even if ownerStaleness has not passed', async () => {
    const owners = directory()
    owners.scopes.set('u1', ['stock:read'])
    let trimmed = false
    const store = interceptStore(memoryStore(), ({ method }, proceed) => {
      const answer = proceed()
      return trimmed && method === 'changes' ? { ...(answer as object), ids: [], owners: [], bulk: [], everything: true } : answer
    })
    const tokens = instance({ store, owner: owners.owner, cache: { maxStaleness: 0.4, ownerStaleness: 60 } })
    const { token } = await mint(tokens, { ownerId: 'u1' })
    await warm(tokens, (await mint(tokens)).token)
    await tokens.verify(token)
    await warm(tokens, token)
    owners.scopes.set('u1', null)
    expect(await verdict(tokens.verify(token))).toBe('ok')
    trimmed = true
    await until(async () => (await verdict(tokens.verify(token))) === 'owner_denied')
  })

  it('looks up an owner again on every node after ownerChanged()', async () => {
    const owners = directory()
    owners.scopes.set('u1', ['stock:read'])
    const store = memoryStore()
    const options = { store, owner: owners.owner, cache: { maxStaleness: 30, ownerStaleness: 60 } }
    const [here, there] = [instance(options), instance(options)]
    const { token } = await mint(here, { ownerId: 'u1' })
    for (const node of [here, there]) {
      await warm(node, (await mint(here)).token)
      await node.verify(token)
      await warm(node, token)
    }
    owners.scopes.set('u1', [])
    expect((await principalOf(here.verify(token))).scopes).toEqual(['stock:read'])
    await here.system.ownerChanged({ ownerId: 'u1' })
    expect((await principalOf(here.verify(token))).scopes).toEqual([])
    await until(async () => (await principalOf(there.verify(token))).scopes.length === 0)
    expect((await here.system.events({ action: 'owner.changed' })).items).toMatchObject([{ actorId: 'system' }])
  })

  it('after ownerChanged(), looks up the owner only in that tenant and for tokens without a tenant', async () => {
    const asked: (string | undefined)[] = []
    const shared = memoryStore()
    const options = {
      store: shared,
      owner: ({ tenantId }: { readonly tenantId?: string }) => {
        asked.push(tenantId)
        return { scopes: ['stock:read'] }
      },
      cache: { maxStaleness: 30, ownerStaleness: 60 },
    }
    const node = instance(options)
    const made = [
      await mint(node, { ownerId: 'u1', tenantId: 'a' }),
      await mint(node, { ownerId: 'u1', tenantId: 'b' }),
      await mint(node, { ownerId: 'u1' }),
    ]
    const verifyAll = async (): Promise<readonly (string | undefined)[]> => {
      asked.length = 0
      for (const { token } of made) expect(await verdict(node.verify(token))).toBe('ok')
      return [...asked]
    }
    await warm(node, (await mint(node)).token)
    await until(async () => (await verifyAll()).length === 0)
    for (const [owner, again] of [
      [{ ownerId: 'u1', tenantId: 'a' }, ['a', undefined]],
      [{ ownerId: 'u1', tenantId: 'zz' }, [undefined]],
      [{ ownerId: 'u2' }, []],
      [{ ownerId: 'u1' }, ['a', 'b', undefined]],
    ] as const) {
      const marker = await mint(node)
      await warm(node, marker.token)
      await shared.commit({ ownersChanged: [owner], events: [] })
      await shared.commit({ removals: [marker.record.id], events: [] })
      await until(async () => (await verdict(node.verify(marker.token))) === 'token_unknown')
      expect(await verifyAll()).toEqual(again)
    }
  })

  it('does not cache a late response about an owner that changed in the meantime', async () => {
    let answer: (owned: OwnerPermissions) => void = () => undefined
    const tokens = instance({
      owner: () =>
        new Promise<OwnerPermissions>((resolve) => {
          answer = resolve
        }),
      cache: { ownerStaleness: 60 },
    })
    const { token } = await mint(tokens, { ownerId: 'u1' })
    await warm(tokens, (await mint(tokens)).token)
    const slow = verdict(tokens.verify(token))
    await pause(5)
    const old = answer
    await tokens.system.ownerChanged({ ownerId: 'u1' })
    old({ scopes: ['stock:read'] })
    expect(await slow).toBe('ok')
    const next = tokens.verify(token)
    await pause(5)
    expect(answer).not.toBe(old)
    answer({ scopes: [] })
    expect((await principalOf(next)).scopes).toEqual([])
  })
})
