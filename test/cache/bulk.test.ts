import type { Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import type { TokenStore } from '../../src/store/port.js'
import { instance, mint, principalOf, type Scope, until, verdict, warm } from '../latchkey/harness.js'
import { lateStore } from './late-store.js'

/** A store that records which tokens are read. */
function counted(store: TokenStore): { readonly store: TokenStore; readonly read: string[] } {
  const read: string[] = []
  const counting = interceptStore(store, ({ method, args }, proceed) => {
    if (method === 'find') read.push(...(args[0] as readonly string[]))
    return proceed()
  })
  return { store: counting, read }
}

type Made = { readonly token: string; readonly id: string }

async function made(tokens: Latchkey<Scope>, input: Parameters<typeof mint>[1] = {}): Promise<Made> {
  const { token, record } = await mint(tokens, input)
  return { token, id: record.id }
}

async function twoNodes() {
  const shared = memoryStore()
  const [near, far] = [counted(shared), counted(shared)]
  // The feed is read on wake-ups, and never on a timer.
  const [here, there] = [near, far].map(({ store }) => instance({ store, cache: { maxStaleness: 60 } }))
  if (here === undefined || there === undefined) throw new Error('no nodes')
  return { here, there, near, far }
}

/** A store whose feed the test can hold back, so many changes arrive in one page. */
function holdable(store: TokenStore) {
  let held: Promise<unknown> | undefined
  const holding = interceptStore(store, async ({ method }, proceed) => {
    if (method === 'changes') await held
    return proceed()
  })
  return {
    store: holding,
    hold() {
      let release = (_: unknown): void => undefined
      held = new Promise((resolve) => {
        release = resolve
      })
      return () => {
        held = undefined
        release(undefined)
      }
    },
  }
}

/** Waits until a node has learned of everything committed before the call. */
async function heard(node: Latchkey<Scope>, writer: Latchkey<Scope>): Promise<void> {
  const marker = await made(writer)
  await warm(node, marker.token)
  await writer.system.revoke(marker.id)
  await until(async () => (await verdict(node.verify(marker.token))) === 'token_revoked')
}

describe('a bulk revocation', () => {
  it("a bulk revocation causes no read of another tenant's tokens on any node", async () => {
    const { here, there, near, far } = await twoNodes()
    const ended = await made(here, { tenantId: 'a' })
    const kept = [await made(here, { tenantId: 'b', ownerId: 'o1' }), await made(here)]
    for (const node of [here, there]) for (const { token } of [ended, ...kept]) await warm(node, token)
    near.read.length = 0
    far.read.length = 0
    await here.system.revokeAll({ tenantId: 'a' })
    expect(await verdict(here.verify(ended.token))).toBe('token_revoked')
    await until(async () => (await verdict(there.verify(ended.token))) === 'token_revoked')
    for (const node of [here, there]) for (const { token } of kept) expect(await verdict(node.verify(token))).toBe('ok')
    for (const { read } of [near, far]) for (const { id } of kept) expect(read).not.toContain(id)
  })

  it.each([
    ['an owner', { ownerId: 'o1' }, [true, true, false, false]],
    ['an owner in a tenant', { ownerId: 'o1', tenantId: 'a' }, [true, false, false, false]],
    ['a tenant', { tenantId: 'b' }, [false, true, true, false]],
    ['everything', { all: true }, [true, true, true, true]],
  ] as const)('drops only affected tokens from memory in a bulk revocation of %s', async (_, filter, touched) => {
    const { here, there, far } = await twoNodes()
    const tokens = [
      await made(here, { tenantId: 'a', ownerId: 'o1' }),
      await made(here, { tenantId: 'b', ownerId: 'o1' }),
      await made(here, { tenantId: 'b', ownerId: 'o2' }),
      await made(here),
    ]
    for (const { token } of tokens) await warm(there, token)
    await here.system.revokeAll(filter)
    await heard(there, here)
    far.read.length = 0
    const answers = await Promise.all(tokens.map(({ token }) => verdict(there.verify(token))))
    expect(answers).toEqual(touched.map((was) => (was ? 'token_revoked' : 'ok')))
    expect([...far.read].sort()).toEqual(tokens.flatMap(({ id }, at) => (touched[at] ? [id] : [])).sort())
  })

  it('keeps the tokens of other owners in memory when an actor bulk-revokes only its own tokens', async () => {
    const { here, there, far } = await twoNodes()
    const ada = { id: 'ada', tenants: ['a'], manages: 'own' } as const
    const mine = await here.as(ada).create({ name: 'Mine', scopes: ['stock:read'], tenantId: 'a' })
    const other = await made(here, { tenantId: 'a' })
    for (const token of [mine.token ?? '', other.token]) await warm(there, token)
    await here.as(ada).revokeAll({ tenantId: 'a' })
    await heard(there, here)
    far.read.length = 0
    expect(await verdict(there.verify(mine.token ?? ''))).toBe('token_revoked')
    expect(await verdict(there.verify(other.token))).toBe('ok')
    expect(far.read).toEqual([mine.record.id])
  })

  it('a bulk revocation that affects no token causes no read', async () => {
    const { here, there, near, far } = await twoNodes()
    const kept = await made(here, { tenantId: 'a' })
    const ended = await made(here, { tenantId: 'b' })
    await here.system.revokeAll({ tenantId: 'b' })
    for (const node of [here, there]) await warm(node, kept.token)
    await until(async () => (await verdict(there.verify(ended.token))) === 'token_revoked')
    for (const filter of [{ tenantId: 'b' }, { tenantId: 'nobody' }, { ownerId: 'nobody' }]) {
      expect(await here.system.revokeAll(filter)).toEqual({ count: 0 })
    }
    await heard(there, here)
    near.read.length = 0
    far.read.length = 0
    for (const node of [here, there]) expect(await verdict(node.verify(kept.token))).toBe('ok')
    expect(await verdict(there.verify(ended.token))).toBe('token_revoked')
    expect([...near.read, ...far.read]).toEqual([])
  })

  it('a bulk revocation also drops cached tokens that another node has already revoked', async () => {
    const shared = memoryStore()
    const { store, hold } = holdable(shared)
    const [here, there] = [instance({ store: shared }), instance({ store, cache: { maxStaleness: 60 } })]
    const { token } = await made(here, { tenantId: 'a' })
    await warm(there, token)
    const release = hold()
    await here.system.revokeAll({ tenantId: 'a' })
    expect(await verdict(there.verify(token))).toBe('ok')
    expect(await there.system.revokeAll({ tenantId: 'a' })).toEqual({ count: 0 })
    expect(await verdict(there.verify(token))).toBe('token_revoked')
    release()
  })

  it('a bulk revocation under a different prefix drops nothing from the cache', async () => {
    const shared = memoryStore()
    const { store, read } = counted(shared)
    const here = instance({ store, cache: { maxStaleness: 60 } })
    const stranger = instance({ store: shared, prefix: 'acme_live' })
    const kept = await made(here, { tenantId: 'a' })
    await warm(here, kept.token)
    await made(stranger, { tenantId: 'a' })
    await stranger.system.revokeAll({ all: true })
    await heard(here, here)
    read.length = 0
    expect(await verdict(here.verify(kept.token))).toBe('ok')
    expect(read).toEqual([])
  })

  it('a node learns of a hundred concurrent bulk revocations', async () => {
    const { here, there } = await twoNodes()
    const tokens = await Promise.all(Array.from({ length: 100 }, (_, index) => made(here, { tenantId: `t${index}` })))
    for (const { token } of tokens) await warm(there, token)
    await Promise.all(tokens.map((_, index) => here.system.revokeAll({ tenantId: `t${index}` })))
    await heard(there, here)
    const answers = await Promise.all(tokens.map(({ token }) => verdict(there.verify(token))))
    expect(new Set(answers)).toEqual(new Set(['token_revoked']))
  })
})

describe('many bulk revocations of one tenant in one page of the feed', () => {
  it('many bulk revocations in one feed page do not affect the cached tokens, requests and owners of other tenants', async () => {
    const shared = memoryStore()
    const far = counted(shared)
    const feed = holdable(far.store)
    const asked: string[] = []
    const owner = async ({ ownerId }: { readonly ownerId: string }) => {
      asked.push(ownerId)
      return { scopes: ['stock:read'] }
    }
    const here = instance({ store: shared })
    const there = instance({ store: feed.store, owner, cache: { maxStaleness: 60, ownerStaleness: 60 } })
    const kept = await Promise.all(Array.from({ length: 20 }, (_, at) => made(here, { tenantId: 'kept', ownerId: `k${at}` })))
    const ended = await Promise.all(Array.from({ length: 40 }, (_, at) => made(here, { tenantId: 'ended', ownerId: `e${at}` })))
    const signals: AbortSignal[] = []
    for (const { token } of [...kept, ...ended]) {
      signals.push((await principalOf(there.verify(token))).signal)
      await principalOf(there.verify(token))
    }
    await heard(there, here)
    const release = feed.hold()
    far.read.length = 0
    asked.length = 0
    for (const [at] of ended.entries()) await here.system.revokeAll({ tenantId: 'ended', ownerId: `e${at}` })
    release()
    await until(() => signals.slice(kept.length).every(({ aborted }) => aborted))
    for (const { token } of ended) expect(await verdict(there.verify(token))).toBe('token_revoked')
    for (const { token } of kept) expect(await verdict(there.verify(token))).toBe('ok')
    for (const { id } of kept) expect(far.read).not.toContain(id)
    expect(asked).toEqual([])
    expect(signals.slice(0, kept.length).some(({ aborted }) => aborted)).toBe(false)
  })
})

describe('a slow read overtaken by a bulk revocation', () => {
  it('caches a slow read if the bulk revocation that overtook it did not affect its token', async () => {
    const store = lateStore(memoryStore())
    const tokens = instance({ store })
    const kept = await made(tokens, { tenantId: 'b' })
    await made(tokens, { tenantId: 'a' })
    await warm(tokens, (await made(tokens)).token)
    const late = store.answerLate('find')
    const before = store.calls.get('find') ?? 0
    const first = verdict(tokens.verify(kept.token))
    await late.asked
    await tokens.system.revokeAll({ tenantId: 'a' })
    late.arrive()
    expect(await first).toBe('ok')
    expect(deciderOf(tokens).decide(kept.token)).toMatchObject({ ok: true })
    expect((store.calls.get('find') ?? 0) - before).toBe(1)
  })

  it('does not cache a slow read if a bulk revocation that overtook it affected its token', async () => {
    const store = lateStore(memoryStore())
    const tokens = instance({ store })
    const ended = await made(tokens, { tenantId: 'a' })
    await warm(tokens, (await made(tokens)).token)
    const late = store.answerLate('find')
    const first = verdict(tokens.verify(ended.token))
    await late.asked
    await tokens.system.revokeAll({ tenantId: 'b' })
    await tokens.system.revokeAll({ tenantId: 'a' })
    await tokens.system.revokeAll({ tenantId: 'c' })
    late.arrive()
    expect(await first).toBe('ok')
    expect(await verdict(tokens.verify(ended.token))).toBe('token_revoked')
  })

  it('callers that arrive after a bulk revocation share one new read instead of waiting for the overtaken read', async () => {
    const store = lateStore(memoryStore())
    const tokens = instance({ store })
    const ended = await made(tokens, { tenantId: 'a' })
    await warm(tokens, (await made(tokens)).token)
    const late = store.answerLate('find')
    const before = store.calls.get('find') ?? 0
    const first = verdict(tokens.verify(ended.token))
    await late.asked
    await tokens.system.revokeAll({ tenantId: 'a' })
    const later = Array.from({ length: 20 }, () => verdict(tokens.verify(ended.token)))
    expect(new Set(await Promise.all(later))).toEqual(new Set(['token_revoked']))
    late.arrive()
    expect(await first).toBe('ok')
    expect(await verdict(tokens.verify(ended.token))).toBe('token_revoked')
    expect((store.calls.get('find') ?? 0) - before).toBe(2)
  })
})

describe('the signal of a principal', () => {
  it('checks the signal of a principal again only if a bulk revocation may affect its token', async () => {
    const { here, there, far } = await twoNodes()
    const ended = await made(here, { tenantId: 'a' })
    const kept = await made(here, { tenantId: 'b' })
    const signals: AbortSignal[] = []
    for (const { token } of [ended, kept]) {
      signals.push((await principalOf(there.verify(token))).signal)
      await warm(there, token)
    }
    await heard(there, here)
    far.read.length = 0
    await here.system.revokeAll({ tenantId: 'a' })
    await until(() => signals[0]?.aborted)
    await heard(there, here)
    expect(signals[1]?.aborted).toBe(false)
    expect(far.read).not.toContain(kept.id)
  })
})
