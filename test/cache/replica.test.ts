import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { StoredToken } from '../../src/model/record.js'
import { deferred } from '../../src/store/deferred.js'
import type { ReadAge, TokenStore } from '../../src/store/port.js'
import { instance, mint, until, verdict, warm } from '../latchkey/harness.js'
import { lateStore } from './late-store.js'

const ADA = { id: 'ada', tenants: ['t1'], manages: 'own' } as const

type Replicated = {
  readonly store: TokenStore
  /** From now on, the replica answers with the data as of this call. */
  freeze(ids: readonly string[]): Promise<void>
  /** How many record reads the replica and the primary answered. */
  readonly reads: { replica: number; primary: number }
  readonly ages: (ReadAge | undefined)[]
}

/** A store with a frozen replica, which answers reads that accept data of its age. */
function replicated(primary: TokenStore): Replicated {
  let frozen: { readonly cursor: string; readonly records: ReadonlyMap<string, StoredToken> } | undefined
  const reads = { replica: 0, primary: 0 }
  const ages: (ReadAge | undefined)[] = []
  const store = interceptStore(primary, async ({ method, args }, proceed) => {
    if (method !== 'find') return proceed()
    const [ids, age] = args as [readonly string[], ReadAge | undefined]
    ages.push(age)
    const reached = age !== undefined && frozen !== undefined && primary.reached(frozen.cursor, age.notBefore)
    const found = reached ? ids.flatMap((id) => frozen?.records.get(id) ?? []) : []
    if (found.length < ids.length) {
      reads.primary += 1
      return await proceed()
    }
    reads.replica += 1
    return found
  })
  const freeze = async (ids: readonly string[]): Promise<void> => {
    const { cursor } = await primary.changes(undefined, 1)
    frozen = { cursor, records: new Map((await primary.find(ids)).map((record) => [record.id, record])) }
  }
  return { store, freeze, reads, ages }
}

/** Two nodes on one database. The first node has a replica frozen at the current data, follows the feed, and has not read the token. */
async function start(options: Parameters<typeof instance>[0] = {}) {
  const primary = memoryStore()
  const replica = replicated(primary)
  const here = instance({ store: replica.store, cache: { maxStaleness: 0.2 }, ...options })
  const there = instance({ store: primary })
  const { token = '', record } = await there.as(ADA).create({ name: 'ERP', scopes: ['stock:read'], tenantId: 't1', ownerId: 'ada' })
  const other = await mint(there)
  await replica.freeze([record.id, other.record.id])
  if (options.cache !== false) await warm(here, other.token)
  return { ...replica, primary, here, there, token, id: record.id, other }
}

describe('a replica', () => {
  it('answers a cache miss from the replica if the feed was read no further than the replica has replayed', async () => {
    const { here, reads, token } = await start()
    const before = reads.replica
    expect(await verdict(here.verify(token))).toBe('ok')
    await warm(here, token)
    expect(reads.replica).toBe(before + 1)
  })

  it('serves no caller from the replica once the feed has reported a change that the replica has not replayed', async () => {
    const { here, there, token, id } = await start()
    await there.system.revoke(id)
    await until(async () => (await verdict(here.verify(token))) === 'token_revoked')
    expect(await verdict(here.verify(token))).toBe('token_revoked')
  })

  for (const [verb, make, after] of [
    ['revoke', ({ here, id }) => here.system.revoke(id), 'token_revoked'],
    ['deactivate', ({ here, id }) => here.system.deactivate(id), 'token_inactive'],
    ['rotate', ({ here, id }) => here.system.rotate(id), 'token_revoked'],
    ['revokeAll', ({ here }) => here.system.revokeAll({ tenantId: 't1' }), 'token_revoked'],
    ['revokeAll of its creator', ({ here }) => here.as(ADA).revokeAll({ all: true }), 'token_revoked'],
  ] as [string, (c: Awaited<ReturnType<typeof start>>) => Promise<unknown>, string][]) {
    it(`serves no caller from the replica after ${verb}() resolved in this process, even before the feed reports it`, async () => {
      const primary = memoryStore()
      const quiet = { ...primary, subscribe: undefined }
      const replica = replicated(interceptStore(quiet as unknown as TokenStore, (_call, proceed) => proceed()))
      const here = instance({ store: replica.store, cache: { maxStaleness: 60 } })
      const { token = '', record } = await here.as(ADA).create({ name: 'ERP', scopes: ['stock:read'], tenantId: 't1', ownerId: 'ada' })
      const other = await mint(here)
      await replica.freeze([record.id, other.record.id])
      await warm(here, other.token)
      const c = { ...replica, primary, here, there: here, token, id: record.id, other }
      await make(c)
      expect(await verdict(here.verify(token))).toBe(after)
      expect(await verdict(here.verify(token))).toBe(after)
    })
  }

  it("an actor whose calls change nothing does not send the reads of other tenants' tokens to the primary", async () => {
    const primary = memoryStore()
    // Without wake-ups, the feed is not read again for a long time.
    const replica = replicated({ ...primary, subscribe: undefined } as unknown as TokenStore)
    let feedReads = 0
    const store = interceptStore(replica.store, async ({ method }, proceed) => {
      const answer = await proceed()
      if (method === 'changes') feedReads += 1
      return answer
    })
    const here = instance({ store, cache: { maxStaleness: 60 } })
    const there = instance({ store: primary })
    const victims = await Promise.all(Array.from({ length: 4 }, () => mint(there, { tenantId: 'victim' })))
    const own = await mint(there, { tenantId: 'evil', name: 'mine' })
    const first = await mint(there)
    await replica.freeze([...victims, own, first].map(({ record }) => record.id))
    await warm(here, first.token)
    const eve = here.as({ id: 'eve', tenants: ['evil'], manages: 'all' })
    const before = feedReads
    const idle = [
      () => eve.update(own.record.id, { name: 'mine' }),
      () => eve.activate(own.record.id),
      () => eve.get(own.record.id),
      // This may concern any token of the tenant, so it asks for the feed to be read.
      () => eve.revokeAll({ ownerId: 'nobody' }).then(() => until(() => feedReads > before)),
    ]
    for (const [at, call] of idle.entries()) {
      const seen = replica.reads.replica
      await call()
      expect(await verdict(here.verify(victims[at]?.token ?? ''))).toBe('ok')
      expect(replica.reads.replica, `after call ${at}`).toBe(seen + 1)
    }
  })

  it('serves no caller an older state from the replica than another caller was shown', async () => {
    const primary = memoryStore()
    const replica = replicated({ ...primary, subscribe: undefined } as unknown as TokenStore)
    const here = instance({ store: replica.store, cache: { maxStaleness: 60 } })
    const there = instance({ store: primary })
    const [shown, first] = [await mint(there), await mint(there)]
    await replica.freeze([shown.record.id, first.record.id])
    await warm(here, first.token)
    await there.system.revoke(shown.record.id)
    expect(await here.system.revoke(shown.record.id)).toMatchObject({ status: 'revoked' })
    expect(await verdict(here.verify(shown.token))).toBe('token_revoked')
  })

  it('serves no caller an older state from the replica if its read was waiting while another caller was shown a newer one', async () => {
    const primary = memoryStore()
    const replica = replicated({ ...primary, subscribe: undefined } as unknown as TokenStore)
    const held = deferred<void>()
    let isHeld = false
    let waiting = 0
    const store = interceptStore(replica.store, async ({ method, args }, proceed) => {
      if (method === 'find' && isHeld && !(args[0] as readonly string[]).includes(shown.record.id)) {
        waiting += 1
        await held.promise
      }
      return proceed()
    })
    const here = instance({ store, cache: { maxStaleness: 60 }, deadline: 20 })
    const there = instance({ store: primary })
    const [shown, first] = [await mint(there), await mint(there)]
    const others = await Promise.all(Array.from({ length: 64 }, () => mint(there)))
    await replica.freeze([shown, first, ...others].map(({ record }) => record.id))
    await warm(here, first.token)
    isHeld = true
    const busy: Promise<string>[] = []
    for (const { token } of others) {
      busy.push(verdict(here.verify(token)))
      await until(() => waiting === busy.length)
    }
    const queued = verdict(here.verify(shown.token))
    await there.system.revoke(shown.record.id)
    expect(await here.system.revoke(shown.record.id)).toMatchObject({ status: 'revoked' })
    held.resolve()
    await Promise.all(busy)
    await queued
    expect(await verdict(here.verify(shown.token))).toBe('token_revoked')
  })

  it('discards a replica read that began before a change made by this process', async () => {
    const { store, here, token, id } = await start()
    const late = lateStore(store)
    const slow = instance({ store: late, cache: { maxStaleness: 60 } })
    await warm(slow, (await mint(here)).token)
    const answer = late.answerLate('find')
    const waiter = verdict(slow.verify(token))
    await answer.asked
    await slow.system.revoke(id)
    answer.arrive()
    await waiter
    expect(await verdict(slow.verify(token))).toBe('token_revoked')
  })

  it('does not use the replica without a cache, or for introspect(), get() and update()', async () => {
    const strict = await start({ cache: false })
    expect(await verdict(strict.here.verify(strict.token))).toBe('ok')
    expect(strict.ages).toEqual([undefined])

    const { here, ages, token, id } = await start()
    ages.length = 0
    await here.introspect(token)
    await here.system.get(id)
    await here.system.update(id, { name: 'ERP 2' })
    expect(ages.length).toBeGreaterThan(1)
    expect(new Set(ages)).toEqual(new Set([undefined]))
  })

  it('does not query the replica if the feed was not read within the bound', async () => {
    const primary = memoryStore()
    const replica = replicated(primary)
    let down = false
    const store = interceptStore(replica.store, ({ method }, proceed) => {
      if (down && method === 'changes') throw new Error('down')
      return proceed()
    })
    const here = instance({ store, cache: { maxStaleness: 0.1 } })
    const there = instance({ store: primary })
    const [first, second] = [await mint(there), await mint(there)]
    await replica.freeze([first.record.id, second.record.id])
    await warm(here, first.token)
    down = true
    await until(async () => !(await here.health()).feed.ok)
    await there.system.revoke(second.record.id)
    replica.ages.length = 0
    expect(await verdict(here.verify(second.token))).toBe('token_revoked')
    expect(replica.ages).toEqual([undefined])
  })

  it('bypasses the replica for all callers that share a read with a caller that needs the primary', async () => {
    const { here, there, ages, token } = await start()
    const imported = await mint(there)
    ages.length = 0
    await Promise.all([here.introspect(token), here.verify(token), here.verify(imported.token)])
    expect(ages[0]).toBeUndefined()
  })

  it('reports the faults of a replica under a separate name', async () => {
    const faults: string[] = []
    const primary = memoryStore()
    const store = interceptStore(primary, ({ method, args }, proceed) => {
      if (method === 'find') (args[1] as ReadAge | undefined)?.onFault?.(new Error('gone'))
      return proceed()
    })
    const here = instance({ store, onError: ({ where }) => faults.push(where) })
    await warm(here, (await mint(here)).token)
    const late = await mint(instance({ store: primary }))
    await until(async () => (await verdict(here.verify(late.token))) === 'ok')
    expect(new Set(faults)).toEqual(new Set(['replica']))
  })
})
