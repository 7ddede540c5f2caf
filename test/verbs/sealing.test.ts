import type { AuditAnchors, AuditHead, Latchkey, LatchkeyOptions, ListedEvent, SealingOptions, StoredEvent, TokenStore } from 'latchkey'
import { type AuditEntry, type FullSeal, verifyAuditExport } from 'latchkey/audit'
import { memoryStore } from 'latchkey/stores/memory'
import { type FaultPlan, faultyStore } from 'latchkey/testing'
import { describe, expect, it, vi } from 'vitest'
import { coversOf, eraseFrom } from '../../src/audit/erasure.js'
import { eraseFields } from '../../src/audit/event-digest.js'
import { readOptions } from '../../src/options.js'
import { createHandle } from '../../src/verbs/handle.js'
import { SYSTEM } from '../../src/verbs/lib/actor.js'
import { sealUp } from '../../src/verbs/lib/seals.js'
import { retain } from '../../src/verbs/retain.js'
import { upkeepOf } from '../../src/verbs/upkeep.js'
import { buildContext } from '../../src/verify/build-context.js'
import { exported, forgeableStore } from '../audit/log.js'
import { instance, mint, refusal, SCOPES, type Scope } from '../latchkey/harness.js'

const DAY = 86_400_000
const down = new Error('the store is down')

/** A separate node, whose clock the test sets. */
function node(options: Partial<LatchkeyOptions> = {}) {
  let now = Date.UTC(2030, 0, 1)
  const store = options.store ?? memoryStore()
  const settings = readOptions({ prefix: 'acme_test', scopes: SCOPES, logger: false, ...options, store, clock: () => now })
  const context = buildContext(settings)
  const handle = createHandle(() => context, SYSTEM)
  return {
    store,
    context,
    handle,
    make: async (count = 1) => {
      for (let index = 0; index < count; index += 1) await handle.create({ name: `ERP ${index}`, scopes: ['stock:read'] })
    },
    pass: (ms: number) => {
      now += ms
    },
    retain: () => retain(context, now, async () => true),
  }
}

/** A node whose events can lose personal fields, as in an erasure. */
function erasing(options: Partial<LatchkeyOptions> = {}) {
  const forgeable = forgeableStore()
  const made = node({ ...options, store: forgeable.store })
  let erasures = 0
  return {
    ...made,
    /** Writes the event that covers the erasure, and returns the table without the fields. */
    erase: async (indexes: readonly number[], isPersonal: (path: string) => boolean): Promise<ListedEvent[]> => {
      const { events } = await forgeable.tables()
      const erased = eraseFrom(
        events.filter((_, index) => indexes.includes(index)),
        isPersonal,
      )
      erasures += 1
      const event = { id: `erased-${erasures}`, at: 1, action: 'owner.erased', prefix: 'acme_test', actorId: 'dpo' } as const
      await made.context.store.commit({ events: [{ ...event, details: { covers: coversOf(erased) } }] })
      return (await forgeable.tables()).events.map((each) => erased.find(({ before }) => before.seq === each.seq)?.after ?? each)
    },
    /** Makes the store return these events from now on. */
    erased: async (events: ListedEvent[] | undefined): Promise<void> =>
      forgeable.forge(events && { events, seals: (await forgeable.tables()).seals }),
  }
}

describe('sealing', () => {
  it('sealing adds no store call to a change, and every event has a salt', async () => {
    const calls = async (options: Partial<LatchkeyOptions<keyof typeof SCOPES>>): Promise<string[]> => {
      const store = faultyStore(memoryStore())
      const tokens = instance({ store, ...options })
      const { record } = await mint(tokens)
      await tokens.system.update(record.id, { name: 'New' })
      await tokens.system.revokeAll({ all: true })
      const events = await store.events({ prefix: 'acme_test', limit: 10 })
      expect(events.map(({ salt }) => salt?.length)).toEqual([32, 32, 32])
      return store.calls.map(({ method }) => method).filter((method) => method !== 'changes' && method !== 'subscribe')
    }
    expect(await calls({ sealing: {} })).toEqual(await calls({}))
  })

  it('writes no seal while the clock returns no valid time', async () => {
    let now = Date.UTC(2030, 0, 1)
    const { system } = instance({ clock: () => now })
    await mint({ system } as Latchkey<Scope>)
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      now = wrong
      expect(await refusal(system.sealAudit())).toMatch(/^store_unavailable/)
    }
    now = Date.UTC(2030, 0, 2)
    expect(await system.sealAudit()).toMatchObject({ number: 1 })
    expect(await system.verifyAudit()).toMatchObject({ ok: true, sealed: 1 })
  })

  it('events() and onEvent reveal no salt', async () => {
    const onEvent = vi.fn()
    const tokens = instance({ onEvent })
    await mint(tokens)
    const page = await tokens.system.events()
    expect(JSON.stringify([page, onEvent.mock.calls])).not.toMatch(/salt/)
  })

  it('sealing proceeds range by range, and passes every head to the host', async () => {
    const heads: AuditHead[] = []
    const { make, handle } = node({ sealing: { onSeal: (head) => heads.push(head) } })
    expect(await handle.sealAudit()).toBeUndefined()
    await make(600)
    const head = await handle.sealAudit()
    expect(heads.map(({ number, lastSeq }) => [number, lastSeq])).toEqual([
      [1, 256],
      [2, 512],
      [3, 600],
    ])
    expect(heads.at(-1)).toEqual(head)
    expect(await handle.sealAudit()).toEqual(head)
    await make(2)
    expect(await handle.verifyAudit({ head: JSON.parse(JSON.stringify(heads[1])) })).toMatchObject({ ok: true, sealed: 600, behind: 2 })
  })

  it('refuses to put an unsigned seal after a signed seal, because no signature would cover it', async () => {
    const store = memoryStore()
    const signing = node({ store, sealing: { sign: () => 'signature' } })
    const plain = node({ store })
    await plain.make(2)
    await signing.handle.sealAudit()
    await plain.make(2)
    await expect(plain.handle.sealAudit()).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('sealing.sign') })
    await signing.handle.sealAudit()
    expect(await signing.handle.verifyAudit({ verifySignature: () => true })).toMatchObject({ ok: true, sealed: 4, behind: 0 })
  })

  it('reads the newest seal once, however many ranges it seals', async () => {
    const store = faultyStore(memoryStore())
    const { make, handle } = node({ store })
    await make(600)
    expect(await handle.sealAudit()).toMatchObject({ number: 3 })
    expect(store.calls.filter(({ method }) => method === 'seals')).toHaveLength(1)
  })

  it('passes a rejected head to onSeal again, and continues in the meantime', async () => {
    const heads: number[] = []
    let fails = true
    const places: string[] = []
    const { make, handle } = node({
      onError: ({ where }) => places.push(where),
      sealing: {
        onSeal: async ({ number }) => {
          if (fails) throw new Error('no room')
          heads.push(number)
        },
      },
    })
    await make()
    await handle.sealAudit()
    expect(places).toEqual(['onSeal'])
    fails = false
    await handle.sealAudit()
    expect(heads).toEqual([1])
    await handle.sealAudit()
    expect(heads).toEqual([1])
  })

  it('writes one chain of seals, however many nodes seal and write concurrently', async () => {
    const store = memoryStore()
    const nodes = Array.from({ length: 6 }, () => node({ store }))
    await Promise.all(
      nodes.map(async ({ make, handle }) => {
        for (let turn = 0; turn < 20; turn += 1) {
          await make(3)
          await handle.sealAudit()
        }
      }),
    )
    const report = await nodes[0]?.handle.verifyAudit({ head: (await nodes[0]?.handle.sealAudit()) as AuditHead })
    expect(report).toMatchObject({ ok: true, sealed: 360, behind: 0 })
  })

  it.each<[string, FaultPlan]>([
    [
      'a crash before a seal is written',
      ({ method, number }) => (method === 'saveSeal' && number % 2 === 1 ? { do: 'fail', error: down } : undefined),
    ],
    [
      'a crash after a seal is written, with the response lost',
      ({ method, number }) => (method === 'saveSeal' && number % 2 === 1 ? { do: 'fail-after', error: down } : undefined),
    ],
    [
      'a crash while seals are read',
      ({ method, number }) => (method === 'seals' && number % 3 === 0 ? { do: 'fail', error: down } : undefined),
    ],
    ['a call that reaches the store twice', ({ method }) => (method === 'saveSeal' ? { do: 'duplicate' } : undefined)],
  ])('leaves one valid chain of seals after %s', async (_where, plan) => {
    const store = faultyStore(memoryStore())
    const { make, handle } = node({ store })
    await make(300)
    store.behave(plan)
    for (let turn = 0; turn < 8; turn += 1) {
      await handle.sealAudit().catch(() => undefined)
      await make(5)
    }
    store.behave()
    const head = (await handle.sealAudit()) as AuditHead
    expect(await handle.verifyAudit({ head })).toMatchObject({ ok: true, sealed: 340, behind: 0 })
  })

  it('refuses to seal after a damaged seal, and names it', async () => {
    const forgeable = forgeableStore()
    const { make, handle } = node({ store: forgeable.store })
    await make(3)
    await handle.sealAudit()
    const tables = await forgeable.tables()
    forgeable.forge({ ...tables, seals: [{ prefix: 'acme_test', number: 1, body: '{}' }] })
    await expect(handle.sealAudit()).rejects.toThrow(/seal 1 of the audit log is damaged/)
  })

  it('seals on schedule, on one node at a time, and stops when the instance closes', async () => {
    const store = memoryStore()
    vi.useFakeTimers()
    try {
      const saves = vi.spyOn(store, 'saveSeal')
      const nodes = [1, 2, 3].map(() => node({ store, sealing: { every: '1m' } }))
      await nodes[0]?.make(2)
      const upkeep = nodes.flatMap(({ context }) => upkeepOf(context))
      expect(upkeep.length).toBeGreaterThanOrEqual(nodes.length)
      for (const task of upkeep) task.start()
      await vi.advanceTimersByTimeAsync(30_000)
      expect(saves).toHaveBeenCalledTimes(1)
      await Promise.all(upkeep.map((task) => task.stop()))
    } finally {
      vi.useRealTimers()
    }
  })

  it('refuses invalid sealing options', () => {
    for (const [name, value] of [
      ['every', '1s'],
      ['every', '2d'],
      ['sealSign', 'key'],
      ['onSeal', true],
      ['head', {}],
    ] as const) {
      expect(() => instance({ sealing: { [name]: value } as SealingOptions })).toThrow(`sealing.${name}`)
    }
    expect(() => instance({ sealing: true as never })).toThrow('sealing')
    instance({ sealing: false })
  })
})

describe('the verbs of the sealed audit log', () => {
  it('allows the verbs of the sealed audit log only to an actor that sees every event', async () => {
    const tokens = instance()
    await mint(tokens)
    const [event] = (await tokens.system.events()).items
    for (const actor of [
      { id: 'a', tenants: ['t'], manages: 'all' },
      { id: 'b', tenants: '*', manages: 'own' },
    ] as const) {
      const handle = tokens.as(actor)
      expect(await refusal(handle.sealAudit())).toBe('grant_denied actor')
      expect(await refusal(handle.verifyAudit())).toBe('grant_denied actor')
      expect(await refusal(handle.proveEvent(event?.id ?? ''))).toBe('grant_denied actor')
      expect(() => handle.exportAudit()).toThrow(/requires an actor who manages all tokens of all tenants/)
    }
    expect(await tokens.as({ id: 'c', tenants: '*', manages: 'all' }).verifyAudit()).toMatchObject({ ok: true, behind: expect.any(Number) })
  })

  it('the verbs of the sealed audit log refuse a missing or invalid head', async () => {
    const { handle } = node()
    expect(await refusal(handle.verifyAudit({ head: undefined }))).toBe('invalid_input head')
    expect(await refusal(handle.verifyAudit({ head: { number: 1, hash: 'x' } }))).toBe('invalid_input head.hash')
    expect(await refusal(handle.verifyAudit({ hed: 1 } as never))).toBe('invalid_input hed')
    const hash = 'a'.repeat(64)
    expect(await handle.verifyAudit({ head: { number: 1, hash } })).toMatchObject({ ok: false, problems: [{ kind: 'seal' }] })
  })

  it('distinguishes erased fields whose erasure is sealed from changed fields', async () => {
    const { handle, make, erase, erased } = erasing()
    await make(5)
    await handle.sealAudit()
    const events = await erase([0, 1], (path) => path !== 'createdBy')
    const head = (await handle.sealAudit()) as AuditHead
    await erased(events)
    expect(JSON.stringify(events.slice(0, 2))).not.toContain('ERP')
    expect(await handle.verifyAudit({ head })).toMatchObject({ ok: true, sealed: 6, erased: 2, problems: [] })
    const lines = await exported(handle.exportAudit())
    expect(await verifyAuditExport(lines, { head })).toMatchObject({ ok: true, erased: 2 })
    await erased(events.map((event) => (event.seq < 6 ? { ...event, actorId: 'erased' } : event)))
    const report = await handle.verifyAudit({ head })
    expect(report.problems.map(({ kind, seq }) => [kind, seq])).toEqual([3, 4, 5].map((seq) => ['changed', seq]))
  })

  it('reports an erasure as tampering if no sealed event covers it', async () => {
    const { handle, make, erase, erased } = erasing()
    await make(5)
    const early = (await handle.sealAudit()) as AuditHead
    const events = await erase([0, 1], (path) => path === 'actorId' || path === 'after.name')
    await erased(events)
    const uncovered = [
      ['changed', 1],
      ['changed', 2],
    ]
    const found = async (anchors: AuditAnchors): Promise<unknown> =>
      (await handle.verifyAudit(anchors)).problems.map(({ kind, seq }) => [kind, seq])
    // After the last seal, anyone could have written the covering event.
    expect(await found({ head: early })).toEqual(uncovered)
    await erased(undefined)
    const head = (await handle.sealAudit()) as AuditHead
    await erased(events)
    expect(await found({ head })).toEqual([])
    expect(await found({})).toEqual([])
    expect(await found({ head: early })).toEqual(uncovered)
    // More than the event covers: another field, and another event.
    await erased(events.map((event) => eraseFields(event, (path) => event.seq < 4 && path === 'createdBy')))
    const report = await handle.verifyAudit({ head })
    expect(report.problems.map(({ seq, message }) => [seq, message.split(' of ')[0]])).toEqual([
      [1, 'createdBy'],
      [2, 'createdBy'],
      [3, 'createdBy'],
    ])
    // The covering event is gone, or cannot be read.
    await erased(events.slice(0, 5))
    expect(await found({ head })).toEqual([...uncovered, ['removed', 6]])
    await erased(events.map((event) => (event.seq === 6 ? eraseFields(event, (path) => path === 'details.covers') : event)))
    expect(await found({ head })).toEqual([...uncovered, ['changed', 6]])
  })

  it('ignores an owner.erased event with invalid details', async () => {
    const { handle, context } = node()
    const covers = [null, {}, { fields: 'actorId', seqs: [1] }, { fields: ['actorId'], seqs: '1' }]
    for (const [index, details] of [{}, { covers: 5 }, { covers }].entries()) {
      const event = { id: `e${index}`, at: 1, action: 'owner.erased', prefix: 'acme_test', actorId: 'dpo', details } as const
      await context.store.commit({ events: [event] })
    }
    await handle.sealAudit()
    expect(await handle.verifyAudit()).toMatchObject({ ok: true, sealed: 3, erased: 0 })
  })

  it('requires a valid signature on the seal of an erasure if the audit log is verified by signatures', async () => {
    const { handle, make, erase, erased } = erasing({ sealing: { sign: (hash) => hash } })
    await make(2)
    await handle.sealAudit()
    const events = await erase([0], (path) => path === 'actorId')
    await erased(undefined)
    await handle.sealAudit()
    await erased(events)
    const isGood = (hash: string, signature: string): boolean => hash === signature
    expect(await handle.verifyAudit({ verifySignature: isGood })).toMatchObject({ ok: true, erased: 1 })
    expect((await handle.verifyAudit({ verifySignature: () => false })).problems.some(({ seq }) => seq === 1)).toBe(true)
  })
})

describe('retention of a sealed audit log', () => {
  const old = { retention: { events: '30d', usage: false, addresses: false } } as const

  it('keeps the event that covers an erasure, so remaining events do not look tampered with', async () => {
    const { handle, context, pass, retain, store } = node({ ...old, sealing: {} })
    await context.store.commit({ events: [{ id: 'e', at: 1, action: 'owner.erased', prefix: 'acme_test', actorId: 'dpo' }] })
    pass(31 * DAY)
    await retain()
    expect((await store.events({ prefix: 'acme_test', limit: 10 })).map(({ id }) => id)).toEqual(['e'])
    expect(await handle.verifyAudit()).toMatchObject({ ok: true, sealed: 1, pruned: 0 })
  })

  it('seals events before removing them and records the removal, so a removal can be distinguished from tampering', async () => {
    const heads: AuditHead[] = []
    const { make, handle, pass, retain, store } = node({ ...old, sealing: { onSeal: (head) => heads.push(head) } })
    await make(3)
    await handle.create({ name: 'kept', scopes: ['stock:read'], idempotencyKey: 'k' })
    await make(300)
    pass(31 * DAY)
    await make(4)
    const lines = await exported(handle.exportAudit())
    await retain()
    const left = await store.events({ prefix: 'acme_test', limit: 1000 })
    expect(left.length).toBe(5)
    const head = heads.at(-1) as AuditHead
    expect(await handle.verifyAudit({ head })).toMatchObject({ ok: true, sealed: 5, pruned: 303, behind: 0 })
    const report = await verifyAuditExport(await exported(handle.exportAudit()), { head })
    expect(report).toMatchObject({ ok: true, sealed: 5, pruned: 303 })
    // An earlier export still verifies in full against the roots in the seals.
    const kept = lines.flatMap(({ event }) => event ?? [])
    const seals = (await exported(handle.exportAudit())).flatMap(({ seal }) => (seal === undefined ? [] : [seal as FullSeal]))
    const merged = seals.flatMap((seal): AuditEntry[] => {
      const end = kept.findLastIndex(({ seq }) => seq <= seal.lastSeq) + 1
      return [{ seal }, ...kept.splice(0, end).map((event) => ({ event }))]
    })
    expect(await verifyAuditExport(merged, { head })).toMatchObject({ ok: true, sealed: 308, pruned: 0 })
    // A removed event that was sealed is still reported.
    await store.removeEvents('acme_test', [left[0]?.id ?? ''])
    expect((await handle.verifyAudit({ head })).problems.map(({ kind }) => kind)).toEqual(['removed'])
  })

  it('removes events after sealing is turned off, and seals them first if there are seals', async () => {
    const first = node(old)
    await first.make(10)
    await first.handle.sealAudit()
    await first.make(10)
    first.pass(31 * DAY)
    await first.retain()
    expect(await first.store.events({ prefix: 'acme_test', limit: 100 })).toHaveLength(1)
    expect(await first.handle.verifyAudit()).toMatchObject({ ok: true, pruned: 19, anchor: 'none' })
    const never = node(old)
    await never.make(3)
    never.pass(31 * DAY)
    await never.retain()
    expect(await never.store.seals({ prefix: 'acme_test', limit: 10 })).toEqual([])
  })

  it('does not report a removal as tampering if the removal was interrupted after its seal', async () => {
    const store = faultyStore(memoryStore())
    const { make, handle, pass, retain } = node({ ...old, store, sealing: {} })
    await make(10)
    pass(31 * DAY)
    store.behave({ removeEvents: { do: 'fail', error: down } })
    await expect(retain()).rejects.toThrow()
    store.behave()
    expect(await handle.verifyAudit()).toMatchObject({ ok: true, sealed: 10, pruned: 0 })
    await retain()
    expect(await handle.verifyAudit()).toMatchObject({ ok: true, sealed: 1, pruned: 9 })
  })

  it('verification raises no false alarm while other nodes write, seal and remove events', async () => {
    const shared: TokenStore = memoryStore()
    const nodes = Array.from({ length: 3 }, () => node({ ...old, store: shared, sealing: {} }))
    for (const { make } of nodes) await make(250)
    for (const { pass } of nodes) pass(31 * DAY)
    const [a, b, c] = nodes as [ReturnType<typeof node>, ReturnType<typeof node>, ReturnType<typeof node>]
    const [report] = await Promise.all([a.handle.verifyAudit(), b.retain(), sealUp(c.context), c.make(50)])
    expect(report).toMatchObject({ ok: true })
    expect(await a.handle.verifyAudit()).toMatchObject({ ok: true, problems: [] })
  })
})

it('sealing keeps the existing salt of an event', async () => {
  const { context, store } = node()
  const event: StoredEvent = { id: 'e', at: 1, action: 'owner.gone', prefix: 'acme_test', actorId: 'a', salt: 'f'.repeat(32) }
  await context.store.commit({ events: [event] })
  expect((await store.events({ prefix: 'acme_test', limit: 1 }))[0]).toMatchObject(event)
})
