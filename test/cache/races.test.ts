import { type Latchkey, StoreUnavailableError } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { instance, mint, pause, type Scope, until, verdict, warm } from '../latchkey/harness.js'
import { type LateStore, lateStore } from './late-store.js'

const ADA = { id: 'ada', tenants: ['t1'], manages: 'own' } as const

type Case = { readonly tokens: Latchkey<Scope>; readonly store: LateStore; readonly token: string; readonly id: string }

async function start(cache?: false): Promise<Case> {
  const store = lateStore(memoryStore())
  const tokens = instance({ store, ...(cache === false && { cache }) })
  const input = { name: 'ERP', scopes: ['stock:read' as const], tenantId: 't1', ownerId: 'ada' }
  const { token = '', record } = await tokens.as(ADA).create(input)
  return { tokens, store, token, id: record.id }
}

/** The follower runs, but the token is not in memory, so the next verification reads it. */
async function follow({ tokens }: Case): Promise<void> {
  const other = await mint(tokens)
  await warm(tokens, other.token)
}

const CHANGES: { readonly [verb: string]: { readonly make: (c: Case) => Promise<unknown>; readonly after: string } } = {
  revoke: { make: ({ tokens, id }) => tokens.system.revoke(id), after: 'token_revoked' },
  deactivate: { make: ({ tokens, id }) => tokens.system.deactivate(id), after: 'token_inactive' },
  update: { make: ({ tokens, id }) => tokens.system.update(id, { notBefore: Date.now() + 3_600_000 }), after: 'token_not_yet_valid' },
  'revokeAll of its tenant': { make: ({ tokens }) => tokens.system.revokeAll({ tenantId: 't1' }), after: 'token_revoked' },
  'revokeAll of its owner': { make: ({ tokens }) => tokens.system.revokeAll({ ownerId: 'ada' }), after: 'token_revoked' },
  'revokeAll of its creator': { make: ({ tokens }) => tokens.as(ADA).revokeAll({ all: true }), after: 'token_revoked' },
  'revokeAll of everything': { make: ({ tokens }) => tokens.system.revokeAll({ all: true }), after: 'token_revoked' },
  rotate: { make: ({ tokens, id }) => tokens.system.rotate(id), after: 'token_revoked' },
}

describe('a slow read that began before a change', () => {
  for (const [verb, { make, after }] of Object.entries(CHANGES)) {
    for (const cache of [undefined, false] as const) {
      it(`serves no stale read to a caller who arrives after ${verb}() resolved${cache === false ? ', even without a cache' : ''}`, async () => {
        const c = await start(cache)
        if (cache !== false) await follow(c)
        const late = c.store.answerLate('find')
        const before = c.store.calls.get('find') ?? 0
        const waiters = Array.from({ length: 100 }, () => verdict(c.tokens.verify(c.token)))
        await late.asked
        expect(c.store.calls.get('find')).toBe(before + 1)

        await make(c)
        expect(await verdict(c.tokens.verify(c.token))).toBe(after)
        const later = Array.from({ length: 100 }, () => verdict(c.tokens.verify(c.token)))
        late.arrive()
        const laterStill = Array.from({ length: 100 }, () => verdict(c.tokens.verify(c.token)))

        expect(new Set(await Promise.all(waiters)).size).toBe(1)
        expect(new Set(await Promise.all([...later, ...laterStill]))).toEqual(new Set([after]))
        expect(await verdict(c.tokens.verify(c.token))).toBe(after)
      })
    }
  }

  for (const [how, cache, feed] of [
    ['without a cache', false, 'works'],
    ['while the feed cannot be read', { maxStaleness: 0.1 }, 'fails'],
  ] as const) {
    it(`does not share a read with later callers ${how}, because another node may have made a change`, async () => {
      const shared = memoryStore()
      const cut = faultyStore(shared)
      const store = lateStore(cut)
      const here = instance({ store, cache })
      const there = instance({ store: shared })
      const { token, record } = await mint(there)
      if (feed === 'fails') cut.behave({ changes: { do: 'fail', error: new Error('down') } })
      const late = store.answerLate('find')
      const waiter = verdict(here.verify(token))
      await late.asked
      await there.system.revoke(record.id)
      expect(await verdict(here.verify(token))).toBe('token_revoked')
      late.arrive()
      expect(await waiter).toBe('ok')
    })
  }

  it('does not cache a read that arrives after a change, even if no other caller has read the token since', async () => {
    const c = await start()
    await follow(c)
    const late = c.store.answerLate('find')
    const waiter = verdict(c.tokens.verify(c.token))
    await late.asked
    await c.tokens.system.revoke(c.id)
    late.arrive()
    expect(await waiter).toBe('ok')
    expect(await verdict(c.tokens.verify(c.token))).toBe('token_revoked')
  })

  it('does not cache a read if the feed reported a change on another node in the meantime', async () => {
    const shared = memoryStore()
    const store = lateStore(shared)
    const here = instance({ store })
    const there = instance({ store: shared })
    const { token, record } = await mint(there)
    await warm(here, (await mint(here)).token)
    const late = store.answerLate('find')
    const waiters = Array.from({ length: 100 }, () => verdict(here.verify(token)))
    await late.asked
    const reads = store.calls.get('changes') ?? 0
    await there.system.revoke(record.id)
    // This node knows of the change once it has processed a feed read that began after the change.
    await until(() => (store.calls.get('changes') ?? 0) > reads)
    await until(async () => (await verdict(here.verify(token))) === 'token_revoked')
    late.arrive()
    await Promise.all(waiters)
    expect(await verdict(here.verify(token))).toBe('token_revoked')
  })

  it('does not cache a read if the feed reported a bulk revocation in the meantime', async () => {
    const shared = memoryStore()
    const store = lateStore(shared)
    const here = instance({ store })
    const there = instance({ store: shared })
    const { token } = await mint(there, { tenantId: 't1' })
    await warm(here, (await mint(here)).token)
    const late = store.answerLate('find')
    const waiter = verdict(here.verify(token))
    await late.asked
    await there.system.revokeAll({ tenantId: 't1' })
    await until(async () => (await verdict(here.verify(token))) === 'token_revoked')
    late.arrive()
    await waiter
    expect(await verdict(here.verify(token))).toBe('token_revoked')
  })

  it('does not cache a read that other callers have bypassed if the feed then reported a change', async () => {
    const shared = memoryStore()
    const cut = faultyStore(shared)
    const store = lateStore(cut)
    const here = instance({ store, cache: { maxStaleness: 0.1 } })
    const there = instance({ store: shared })
    const { token, record } = await mint(there)
    const other = await mint(there)
    await warm(here, other.token)
    cut.behave({ changes: { do: 'fail', error: new Error('down') } })
    await pause(120)
    const late = store.answerLate('find')
    const waiter = verdict(here.verify(token))
    await late.asked
    expect(await verdict(here.verify(token))).toBe('ok')
    await there.system.revoke(record.id)
    cut.behave()
    await warm(here, other.token)
    late.arrive()
    expect(await waiter).toBe('ok')
    expect(await verdict(here.verify(token))).toBe('token_revoked')
  })

  it('does not cache a read that began before this node followed the feed', async () => {
    const shared = memoryStore()
    const store = lateStore(shared)
    const here = instance({ store })
    const there = instance({ store: shared })
    const { token, record } = await mint(there)
    const late = store.answerLate('find')
    const first = verdict(here.verify(token))
    await late.asked
    // This node has no feed position yet, so the feed will never report this change to it.
    await there.system.revoke(record.id)
    const other = await mint(here)
    await warm(here, other.token)
    late.arrive()
    await first
    expect(await verdict(here.verify(token))).toBe('token_revoked')
  })
})

describe('a change whose outcome is unknown', () => {
  it('drops a token from the cache if a change with an unknown outcome may have ended it', async () => {
    const shared = memoryStore()
    let lost = false
    const store = interceptStore(shared, async ({ method }, proceed) => {
      const answer = await proceed()
      if (lost && method === 'commit') throw new Error('connection reset')
      return answer
    })
    const tokens = instance({ store })
    const { token, record } = await mint(tokens)
    await warm(tokens, token)
    lost = true
    await expect(tokens.system.revoke(record.id)).rejects.toThrow(StoreUnavailableError)
    expect(await verdict(tokens.verify(token))).toBe('token_revoked')
  })

  it('drops tokens from the cache if a bulk revocation with an unknown outcome may have ended them', async () => {
    const shared = memoryStore()
    const store = interceptStore(shared, async ({ method }, proceed) => {
      const answer = await proceed()
      if (method === 'revokeWhere') throw new Error('connection reset')
      return answer
    })
    const tokens = instance({ store })
    const { token } = await mint(tokens)
    await warm(tokens, token)
    await expect(tokens.system.revokeAll({ all: true })).rejects.toThrow(StoreUnavailableError)
    expect(await verdict(tokens.verify(token))).toBe('token_revoked')
  })
})

describe('a change that another node made first', () => {
  // No wake-ups and a wide bound: this node's memory is old, and it has not learned of the change.
  async function behind(): Promise<{ here: Latchkey<Scope>; there: Latchkey<Scope>; token: string; id: string }> {
    const shared = memoryStore()
    const { subscribe: _, ...deaf } = shared
    const here = instance({ store: deaf, cache: { maxStaleness: 60 } })
    const there = instance({ store: shared })
    const { token, record } = await mint(here)
    await warm(here, token)
    return { here, there, token, id: record.id }
  }

  it('refreshes a token after revoke() found it already revoked', async () => {
    const { here, there, token, id } = await behind()
    await there.system.revoke(id)
    expect(await verdict(here.verify(token))).toBe('ok')
    await here.system.revoke(id)
    expect(await verdict(here.verify(token))).toBe('token_revoked')
  })

  it('refreshes a token after deactivate() found it already inactive', async () => {
    const { here, there, token, id } = await behind()
    await there.system.deactivate(id)
    await here.system.deactivate(id)
    expect(await verdict(here.verify(token))).toBe('token_inactive')
  })

  it('refreshes a token after update() found nothing to change', async () => {
    const { here, there, token, id } = await behind()
    const notBefore = Date.now() + 3_600_000
    await there.system.update(id, { notBefore })
    await here.system.update(id, { notBefore })
    expect(await verdict(here.verify(token))).toBe('token_not_yet_valid')
  })

  it('refreshes a token after rotate() found it already rotated', async () => {
    const { here, there, token, id } = await behind()
    await there.system.rotate(id)
    await expect(here.system.rotate(id)).rejects.toMatchObject({ code: 'conflict' })
    expect(await verdict(here.verify(token))).toBe('token_revoked')
  })
})

describe('reads', () => {
  it('shares a pending read of a token with later callers', async () => {
    const c = await start()
    await follow(c)
    const late = c.store.answerLate('find')
    const first = verdict(c.tokens.verify(c.token))
    await late.asked
    const before = c.store.calls.get('find')
    const later: Promise<string>[] = []
    for (let turn = 0; turn < 20; turn += 1) {
      later.push(verdict(c.tokens.verify(c.token)))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(c.store.calls.get('find')).toBe(before)
    late.arrive()
    expect(new Set(await Promise.all([first, ...later]))).toEqual(new Set(['ok']))
  })

  it('reads a token once for concurrent callers, and several tokens of one tick in one call', async () => {
    const c = await start()
    const others = await Promise.all(Array.from({ length: 5 }, () => mint(c.tokens)))
    const before = c.store.calls.get('find') ?? 0
    const all = [c.token, ...others.map(({ token }) => token)].flatMap((token) => [token, token, token])
    const answers = await Promise.all(all.map((token) => verdict(c.tokens.verify(token))))
    expect(new Set(answers)).toEqual(new Set(['ok']))
    expect((c.store.calls.get('find') ?? 0) - before).toBe(1)
  })

  it.each([
    [64, 2],
    [256, 8],
    [700, 11],
  ])('reads %i tokens of one tick in %i concurrent calls', async (amount, calls) => {
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    let finds = 0
    const shared = memoryStore()
    const held = interceptStore(shared, async ({ method }, proceed) => {
      if (method !== 'find') return proceed()
      finds += 1
      await gate
      return proceed()
    })
    const minter = instance({ store: shared, deadline: 60 })
    const minted = await Promise.all(Array.from({ length: amount }, () => mint(minter)))
    const tokens = instance({ store: held, deadline: 60 })
    const answers = minted.map(({ token }) => verdict(tokens.verify(token)))
    await until(() => finds === calls)
    open()
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['ok']))
    expect(finds).toBe(calls)
  })

  it('verifies a cached token immediately, without a read', async () => {
    const c = await start()
    await warm(c.tokens, c.token)
    const before = c.store.calls.get('find') ?? 0
    for (let n = 0; n < 1000; n += 1) expect(deciderOf(c.tokens).decide(c.token)).toMatchObject({ ok: true })
    expect(c.store.calls.get('find')).toBe(before)
  })
})
