import type { AuditHead, LatchkeyOptions } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ListedEvent } from '../../src/model/event.js'
import { readOptions } from '../../src/options.js'
import type { TokenStore } from '../../src/store/port.js'
import { createHandle } from '../../src/verbs/handle.js'
import { SYSTEM } from '../../src/verbs/lib/actor.js'
import { retain } from '../../src/verbs/retain.js'
import { buildContext } from '../../src/verify/build-context.js'
import { SCOPES } from '../latchkey/harness.js'

const DAY = 86_400_000

/** A sealed audit log in a database that an attacker can also write to. */
function attacked(options: Partial<LatchkeyOptions> = {}) {
  let now = Date.UTC(2030, 0, 1)
  const honest = memoryStore()
  const edits = new Map<number, Partial<ListedEvent>>()
  const deleted = new Set<number>()
  const store: TokenStore = {
    ...honest,
    events: async (query) =>
      (await honest.events(query)).filter(({ seq }) => !deleted.has(seq)).map((event) => ({ ...event, ...edits.get(event.seq) })),
  }
  const faults: unknown[] = []
  const settings = readOptions({
    prefix: 'acme_test',
    scopes: SCOPES,
    logger: false,
    retention: { events: '30d', usage: false, addresses: false },
    sealing: {},
    ...options,
    store,
    clock: () => now,
    onError: ({ where }) => void faults.push(where),
  })
  const context = buildContext(settings)
  onTestFinished(() => context.store.close())
  const handle = createHandle(() => context, SYSTEM)
  return {
    handle,
    edits,
    deleted,
    faults,
    left: async () => (await honest.events({ prefix: 'acme_test', order: 'oldest', limit: 1000 })).map(({ seq }) => seq),
    make: async (count: number) => {
      for (let index = 0; index < count; index += 1) await handle.create({ name: `ERP ${index}`, scopes: ['stock:read'] })
    },
    pass: (days: number) => {
      now += days * DAY
    },
    retain: () => retain(context, now, async () => true),
    verify: (head: AuditHead | undefined) => handle.verifyAudit(head && { head }),
  }
}

describe('an event whose time was changed in the database', () => {
  it('retention does not remove an event whose time was changed, so the change stays detectable', async () => {
    const { handle, make, edits, left, retain, verify } = attacked()
    await make(5)
    const head = await handle.sealAudit()
    edits.set(2, { at: 1000 })
    await retain()
    expect(await left()).toEqual([1, 2, 3, 4, 5])
    for (const anchor of [head, await handle.sealAudit(), undefined]) {
      expect((await verify(anchor)).problems).toMatchObject([{ kind: 'changed', seq: 2 }])
    }
  })

  it.each([
    ['sealed', true],
    ['not yet sealed', false],
  ])('an event whose time was changed (%s) does not excuse the removal of earlier events', async (_when, isSealed) => {
    const { handle, make, edits, deleted, retain, verify } = attacked()
    await make(5)
    await handle.sealAudit()
    await make(2)
    if (isSealed) await handle.sealAudit()
    edits.set(6, { at: 1000 })
    await retain()
    for (const seq of [1, 2, 3, 4, 5]) deleted.add(seq)
    const report = await verify(await handle.sealAudit())
    expect(report.pruned).toBe(0)
    expect(report.problems.filter(({ kind }) => kind === 'removed').map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
  })

  it('retention removes a changed event once the retention period has passed since the event was sealed', async () => {
    const { handle, make, edits, left, pass, retain, verify } = attacked()
    await make(5)
    await handle.sealAudit()
    edits.set(2, { ip: '192.0.2.1' })
    pass(31)
    await make(2)
    await retain()
    expect(await left()).toEqual([6, 7])
    expect(await verify(await handle.sealAudit())).toMatchObject({ ok: true, pruned: 5 })
  })

  it('an event with a changed time delays removals until the retention period has passed since the event was sealed', async () => {
    const { handle, make, edits, faults, left, pass, retain, verify } = attacked()
    await make(2)
    pass(31)
    await make(1)
    await handle.sealAudit()
    await make(1)
    edits.set(2, { at: Date.UTC(2030, 0, 1) + 1 })
    await retain()
    expect([await left(), faults]).toEqual([[2, 3, 4], ['retention']])
    expect((await verify(await handle.sealAudit())).problems).toMatchObject([{ kind: 'changed', seq: 2 }])
    pass(31)
    await make(1)
    await retain()
    expect(await left()).toEqual([5])
  })
})
