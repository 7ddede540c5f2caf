import type { FaultReport, LatchkeyOptions, RetentionOptions } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, vi } from 'vitest'
import { Upkeep } from '../../src/activity/upkeep.js'
import { readOptions } from '../../src/options.js'
import type { TokenStore } from '../../src/store/port.js'
import { Background } from '../../src/store/timer.js'
import { interceptStore } from '../../src/testing/faults/intercept.js'
import { batch } from '../../src/testing/store-contract/build.js'
import { createHandle } from '../../src/verbs/handle.js'
import { SYSTEM } from '../../src/verbs/lib/actor.js'
import { retain, trimUsage } from '../../src/verbs/retain.js'
import { upkeepTasks } from '../../src/verbs/upkeep.js'
import { buildContext } from '../../src/verify/build-context.js'
import { instance, SCOPES, until } from '../latchkey/harness.js'

const DAY = 86_400_000
const START = Date.UTC(2030, 0, 1)

/** A separate node. The test sets its clock and starts its retention. */
function node(options: Partial<LatchkeyOptions> = {}) {
  let now = START
  const store = options.store ?? memoryStore()
  const settings = readOptions({ prefix: 'acme_test', scopes: SCOPES, ...options, store, clock: () => now })
  const context = buildContext(settings)
  const handle = createHandle(() => context, SYSTEM)
  const actions = async (): Promise<string[]> => (await handle.events({ limit: 1000, order: 'oldest' })).items.map(({ action }) => action)
  const make = async (name = 'ERP', more: object = {}): Promise<string> =>
    (await handle.create({ name, scopes: ['stock:read'], ...more })).record.id
  return {
    store,
    context,
    handle,
    actions,
    make,
    pass: (days: number) => {
      now += days * DAY
    },
    sweep: async (goOn: () => Promise<boolean> = async () => true) => {
      await retain(context, now, goOn)
      await trimUsage(context, now, goOn)
    },
  }
}

const kept = (retention: RetentionOptions): Partial<LatchkeyOptions> => ({ retention })

async function useOf(store: TokenStore, tokenId: string, at: number): Promise<void> {
  const hour = at - (at % 3_600_000)
  await store.recordUsage(
    batch({
      counts: [{ tokenId, bucketAt: hour, endpoint: 'GET /', outcome: 'allowed', scope: '', count: 1 }],
      addresses: [{ tokenId, ip: `10.0.0.${(at / DAY) % 250}`, count: 1, lastAt: at }],
      lastUses: [{ tokenId, at }],
    }),
  )
}

describe('retention', () => {
  it('keeps audit events and tokens forever by default', async () => {
    const { make, handle, pass, sweep, actions } = node()
    const id = await make()
    await handle.revoke(id)
    pass(10_000)
    await sweep()
    expect(await actions()).toEqual(['token.created', 'token.revoked'])
    expect(await handle.get(id)).toBeDefined()
  })

  it.each([19_000, 20_000, 21_000])('removes nothing if tokens are kept for %i days, which goes back to 1970', async (days) => {
    const { handle, make, sweep } = node(kept({ dead: `${days}d` }))
    await handle.revoke(await make())
    await sweep()
    expect((await handle.list()).items).toHaveLength(1)
  })

  it('removes any number of events past their retention, and leaves the rest and the newest event', async () => {
    const { make, pass, sweep, handle } = node(kept({ events: '30d' }))
    for (let index = 0; index < 450; index += 1) await make(`old ${index}`)
    pass(20)
    const id = await make('young')
    pass(11)
    await sweep()
    expect((await handle.events({ limit: 10 })).items.map(({ tokenId }) => tokenId)).toEqual([id])
    await make('newest')
    pass(100)
    await sweep()
    await sweep()
    expect((await handle.events()).items.map(({ after }) => after?.name)).toEqual(['newest'])
  })

  it.each([1, 200, 201, 400, 401])('keeps the newest of %i events that are all past their retention', async (count) => {
    const { store, make, pass, sweep } = node(kept({ events: '30d' }))
    for (let index = 0; index < count; index += 1) await make(`old ${index}`)
    pass(31)
    await sweep()
    expect((await store.events({ prefix: 'acme_test', limit: 10 })).map(({ seq }) => seq)).toEqual([count])
  })

  it('retention continues past an event from the future and an event that must stay', async () => {
    const { make, pass, sweep, handle } = node(kept({ events: '30d' }))
    pass(1000)
    await make('by a clock that was wrong')
    pass(-1000)
    await make('under a key', { idempotencyKey: 'k1' })
    await make('old')
    pass(31)
    await make('young')
    await sweep()
    const left = (await handle.events({ order: 'oldest' })).items.map(({ after }) => after?.name)
    expect(left).toEqual(['by a clock that was wrong', 'under a key', 'young'])
  })

  it('retention tries only once to remove a token to which other data refers, and prune() tries again', async () => {
    let tries = 0
    let isHeld = true
    const inner = memoryStore()
    const held: string[] = []
    const store = interceptStore(inner, ({ method, args }, proceed) => {
      const [change] = args as [{ removals?: readonly string[] }]
      const removed = method === 'commit' ? change.removals?.find((id) => held.includes(id)) : undefined
      if (removed === undefined || !isHeld) return proceed()
      tries += 1
      return { ok: false, conflict: removed }
    })
    const { make, handle, pass, sweep } = node({ ...kept({ dead: '10d' }), store })
    const ids = [await make('a'), await make('b'), await make('c')]
    held.push(ids[1] ?? '')
    for (const id of ids) await handle.revoke(id)
    pass(31)
    await sweep()
    expect((await handle.list()).items.map(({ id }) => id)).toEqual(held)
    expect(tries).toBeGreaterThan(0)
    const before = tries
    await sweep()
    expect(tries).toBe(before)
    isHeld = false
    expect(await handle.prune({ before: START + 20 * DAY })).toEqual({ count: 1 })
  })

  it('removes old events even if old tokens cannot be removed', async () => {
    const store = interceptStore(memoryStore(), ({ method, args }, proceed) => {
      const [change] = args as [{ removals?: readonly string[] }]
      if (method === 'commit' && change.removals !== undefined) throw new Error('the tokens cannot be removed')
      return proceed()
    })
    const { make, handle, pass, sweep, actions } = node({ ...kept({ dead: '10d', events: '30d' }), store })
    await handle.revoke(await make())
    pass(31)
    await make('young')
    await expect(sweep()).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(await actions()).toEqual(['token.created'])
  })

  it('events that must stay are read once, and tokens are checked daily, or more often if their retention is shorter', async () => {
    const counted = { events: 0 }
    const inner = memoryStore()
    const store = interceptStore(inner, ({ method }, proceed) => {
      if (method === 'events') counted.events += 1
      return proceed()
    })
    const { make, pass, sweep, actions, context } = node({ ...kept({ events: '30d' }), store })
    for (let index = 0; index < 450; index += 1) await make(`kept ${index}`, { idempotencyKey: `k${index}` })
    await make('old')
    pass(31)
    await sweep()
    counted.events = 0
    for (let hour = 0; hour < 10; hour += 1) await sweep()
    expect(counted.events).toBe(10)
    await make('young')
    pass(31)
    await make('newest')
    await sweep()
    expect(await actions()).toHaveLength(451)
    const every = (retention: RetentionOptions) =>
      upkeepTasks(node(kept(retention)).context).flatMap(({ name, everyMs }) => (name === '.retention-usage' ? everyMs / 3_600_000 : []))
    expect([every({}), every({ usage: '2h' }), every({ usage: '3d', addresses: false })]).toEqual([[24], [1], [3]])
    expect(
      upkeepTasks(context)
        .map(({ name }) => name)
        .slice(0, 2),
    ).toEqual(['.retention', '.retention-usage'])
  })

  it('never lets an idempotency key create a second token, however old its event and its token are', async () => {
    const { make, pass, sweep, handle } = node(kept({ events: '30d', dead: '30d' }))
    const id = await make('once', { idempotencyKey: 'k1' })
    await handle.revoke(id)
    pass(100)
    await sweep()
    expect(await handle.get(id)).toBeUndefined()
    await expect(make('once', { idempotencyKey: 'k1' })).rejects.toMatchObject({ code: 'idempotency_key_reused' })
  })

  it('removes tokens that ended long ago, with their usage, and records the removal in the audit log', async () => {
    const { make, pass, sweep, handle, actions } = node(kept({ dead: '90d' }))
    const [revoked, expired, late, alive] = [await make(), await make('b', { expiresIn: '1d' }), await make(), await make()]
    await handle.revoke(revoked)
    pass(60)
    await handle.revoke(late)
    pass(32)
    await sweep()
    expect(await Promise.all([revoked, expired, late, alive].map(async (id) => (await handle.get(id)) !== undefined))).toEqual([
      false,
      false,
      true,
      true,
    ])
    expect(await actions()).toContain('token.pruned')
  })

  it('stops removing tokens after a page if another node took over or this node closes', async () => {
    const { store, make, pass, sweep } = node(kept({ dead: '90d' }))
    for (let index = 0; index < 450; index += 1) await make(`Token ${index}`, { expiresIn: '1d' })
    pass(92)
    const pages: number[] = []
    await sweep(async () => pages.push(1) === 1)
    expect(await store.list({ prefix: 'acme_test', now: START, limit: 1000 })).toHaveLength(250)
  })

  it('removes outdated counts and addresses of every token', async () => {
    const { store, make, pass, sweep, handle } = node(kept({ usage: '90d', addresses: '30d' }))
    const ids = []
    for (let index = 0; index < 120; index += 1) ids.push(await make(`Token ${index}`))
    for (const id of ids) for (const days of [0, 50, 100]) await useOf(store, id, START + days * DAY)
    pass(101)
    await sweep()
    for (const id of ids) {
      const report = await handle.usage(id, { from: START })
      expect([report.total, report.addresses.length]).toEqual([2, 1])
      expect(report.lastUsedAt).toEqual(new Date(START + 100 * DAY))
    }
  })

  it('reports once that a consumer will miss events, and the consumer continues with the rest', async () => {
    const faults: FaultReport[] = []
    const options = { ...kept({ events: '30d' }), onError: (fault: FaultReport) => faults.push(fault), logger: false as const }
    const { store, make, pass, sweep, handle, actions, context } = node(options)
    await make('read')
    const seen: (string | undefined)[] = []
    const first = handle.consume('siem', ({ after }) => void seen.push(String(after?.name)))
    await until(() => seen.length === 1)
    await first.stop()
    await make('missed')
    pass(31)
    await make('young')
    await sweep()
    await sweep()
    expect(await actions()).toEqual(['token.created', 'consumer.behind'])
    expect((await handle.events({ action: 'consumer.behind' })).items).toMatchObject([{ actorId: 'system', details: { consumer: 'siem' } }])
    expect(faults).toMatchObject([{ where: 'consumerBehind', error: { message: expect.stringContaining('siem missed events') } }])
    const got: string[] = []
    handle.consume('siem', ({ action }) => void got.push(action))
    await until(() => got.length === 2)
    expect(got).toEqual(['token.created', 'consumer.behind'])
    await context.consumers.stopAll()
    expect((await store.consumers('acme_test')).map(({ name }) => name)).toEqual(['siem'])
  })

  it('reports once that a dead letter of a webhook loses its event', async () => {
    const { store, make, pass, sweep, handle, actions } = node({ ...kept({ events: '30d' }), logger: false })
    await make('delivered')
    await make('given up')
    const [, { id } = { id: '' }] = (await handle.events({ order: 'oldest' })).items
    await store.saveConsumer({ prefix: 'acme_test', name: 'webhook:crm', version: 1, position: 2 })
    await store.saveConsumer({ prefix: 'acme_test', name: '.webhook:crm:dead:0', version: 1, position: 2, holder: `${id} 8 0 timeout` })
    await store.saveConsumer({ prefix: 'acme_test', name: '.webhook:crm:dead:1', version: 1, position: 0 })
    pass(31)
    await make('newest')
    await sweep()
    await sweep()
    expect(await actions()).toEqual(['token.created', 'consumer.behind'])
    const [notice] = (await handle.events({ action: 'consumer.behind' })).items
    expect(notice?.details).toEqual({ consumer: 'webhook:crm', eventId: id })
  })

  it('continues an interrupted removal, and does not touch tokens of other prefixes', async () => {
    const store = memoryStore()
    const { make, pass, sweep, actions } = node({ store, ...kept({ events: '30d' }) })
    const other = node({ store, prefix: 'other' })
    await other.make()
    for (let index = 0; index < 450; index += 1) await make(`old ${index}`)
    pass(31)
    let batches = 0
    await sweep(async () => {
      batches += 1
      return batches <= 1
    })
    expect(await actions()).toHaveLength(250)
    await sweep()
    expect(await actions()).toHaveLength(1)
    expect(await other.actions()).toEqual(['token.created'])
  })

  it('requires retention periods of at least an hour, or false', () => {
    for (const [name, value] of [
      ['events', 60],
      ['usage', '59m'],
      ['addresses', 'soon'],
      ['dead', true],
      ['dead', null],
    ] as const) {
      expect(() => instance({ retention: { [name]: value } as RetentionOptions })).toThrow(`retention.${name}`)
    }
    expect(() => instance({ retention: { event: '30d' } as RetentionOptions })).toThrow(/retention.event/)
    instance({ retention: { events: '1h', usage: false, addresses: false, dead: 3600 } })
  })
})

describe('upkeep', () => {
  const task = (runs: number[], run?: () => Promise<void>) => ({
    name: '.test' as const,
    place: 'retention' as const,
    everyMs: 1000,
    run: async ({ now }: { readonly now: number }) => {
      runs.push(now)
      await run?.()
    },
  })

  it('runs upkeep once per period, whichever node checks, and again after a failure', async () => {
    const { context } = node()
    let now = START
    const runs: number[] = []
    let fails = true
    const make = (holder: string): Upkeep =>
      new Upkeep(
        context.store,
        task(runs, async () => {
          if (fails) throw new Error('the store is down')
        }),
        {
          prefix: 'acme_test',
          holder: () => holder,
          clock: () => now,
          monotonic: () => performance.now(),
          elapsed: () => performance.now(),
          report: () => undefined,
          isAlone: async () => true,
          serverTime: async () => undefined,
          background: new Background(),
        },
      )
    const nodes = [make('a'), make('b'), make('c')]
    await expect(nodes[0]?.look()).rejects.toThrow()
    fails = false
    await Promise.all(nodes.map((each) => each.look()))
    expect(runs).toHaveLength(2)
    await Promise.all(nodes.map((each) => each.look()))
    expect(runs).toHaveLength(2)
    now += 1000
    await Promise.all(nodes.map((each) => each.look()))
    expect(runs).toHaveLength(3)
    // A clock that was far ahead and is now correct delays nothing.
    now -= 5000
    await nodes[1]?.look()
    expect(runs).toHaveLength(4)
  })

  it('makes no store call until upkeep is due', async () => {
    const { context } = node()
    const { monotonic } = context.settings
    const runs: number[] = []
    const reads = vi.spyOn(context.store, 'consumers')
    const hourly = { ...task(runs), everyMs: 3_600_000 }
    let now = START
    // These timers are separate, because the timers of the process also serve everything else that runs in it.
    const timers: { readonly at: number; readonly work: () => void }[] = []
    class Queue extends Background {
      override timer(work: () => void, delayMs: number): ReturnType<Background['timer']> {
        timers.push({ at: now + delayMs, work })
        return undefined as unknown as ReturnType<Background['timer']>
      }
    }
    const make = (holder: string): Upkeep =>
      new Upkeep(context.store, hourly, {
        prefix: 'acme_test',
        holder: () => holder,
        clock: () => now,
        monotonic,
        elapsed: monotonic,
        report: () => undefined,
        isAlone: async () => true,
        serverTime: async () => undefined,
        background: new Queue(),
      })
    const nodes = [make('a'), make('b')]
    for (const each of nodes) each.start()
    const passUntil = async (end: number): Promise<void> => {
      for (;;) {
        const [next] = timers.sort((a, b) => a.at - b.at)
        if (next === undefined || next.at > end) break
        timers.shift()
        now = next.at
        next.work()
        // A node sets its next timer once it has checked.
        while (timers.length < nodes.length) await new Promise((resolve) => setImmediate(resolve))
      }
      now = end
    }
    await passUntil(START + 3_500_000)
    expect(runs).toHaveLength(1)
    expect(reads.mock.calls.length).toBeLessThan(10)
    await passUntil(START + 7_200_000)
    expect(runs).toHaveLength(2)
    await Promise.all(nodes.map((each) => each.stop()))
  })

  it('reports failed upkeep, and tries again', async () => {
    const { context } = node()
    const runs: number[] = []
    const places: string[] = []
    const failing = task(runs, async () => {
      throw new Error('out of order')
    })
    const { clock, monotonic } = context.settings
    const report = (where: string): unknown => places.push(where)
    vi.useFakeTimers()
    try {
      const upkeep = new Upkeep(context.store, failing, {
        prefix: 'acme_test',
        holder: () => 'a',
        clock,
        monotonic,
        elapsed: monotonic,
        report,
        isAlone: async () => true,
        serverTime: async () => undefined,
        background: new Background(),
      })
      upkeep.start()
      await vi.advanceTimersByTimeAsync(60_000)
      await upkeep.stop()
    } finally {
      vi.useRealTimers()
    }
    expect(runs.length).toBeGreaterThan(1)
    expect(places).toEqual(runs.map(() => 'retention'))
  })
})
