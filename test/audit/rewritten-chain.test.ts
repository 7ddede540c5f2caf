import type { AuditHead, LatchkeyOptions, ListedEvent, StoredSeal, TokenStore } from 'latchkey'
import type { FullSeal } from 'latchkey/audit'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { digestToSeal } from '../../src/audit/event-digest.js'
import { nextSeal, openSeal, storeSeal } from '../../src/audit/seal.js'
import { readOptions } from '../../src/options.js'
import { createHandle } from '../../src/verbs/handle.js'
import { SYSTEM } from '../../src/verbs/lib/actor.js'
import { retain } from '../../src/verbs/retain.js'
import { buildContext } from '../../src/verify/build-context.js'
import { SCOPES } from '../latchkey/harness.js'
import { forgeableStore } from './log.js'

const prefix = 'acme_test'
const DAY = 86_400_000
const START = Date.UTC(2030, 0, 1)

/** A separate node that passes its heads and faults to the test. */
function node(store: TokenStore, options: Partial<LatchkeyOptions> = {}) {
  const heads: AuditHead[] = []
  const faults: string[] = []
  let now = START
  const onSeal = (head: AuditHead): void => void heads.push(head)
  const onError: LatchkeyOptions['onError'] = ({ where }) => void faults.push(where)
  const given = { prefix, scopes: SCOPES, logger: false, sealing: { onSeal }, onError, ...options } as const
  const context = buildContext(readOptions({ ...given, store, clock: () => now }))
  const handle = createHandle(() => context, SYSTEM)
  return {
    heads,
    faults,
    handle,
    make: async (count = 1) => {
      for (let made = 0; made < count; made += 1) await handle.create({ name: 'ERP', scopes: ['stock:read'] })
    },
    retain: (ms: number) => {
      now += ms
      return retain(context, now, async () => true)
    },
  }
}

/** The events, with the actor of the first event replaced. */
function rewritten([first, ...rest]: readonly ListedEvent[]): ListedEvent[] {
  return first === undefined ? [] : [{ ...first, actorId: 'mallory' }, ...rest]
}

function sealOver(before: FullSeal | undefined, events: readonly ListedEvent[]): FullSeal {
  return nextSeal(before, { prefix, at: START, leaves: events.map((event) => [event.seq, digestToSeal(event)]) })
}

/** Seals over the same ranges as the honest seals, computed from the rewritten events. */
function resealed(events: readonly ListedEvent[], seals: readonly StoredSeal[]): FullSeal[] {
  const made: FullSeal[] = []
  for (const stored of seals) {
    const after = made.at(-1)?.lastSeq ?? 0
    const lastSeq = openSeal(stored)?.lastSeq ?? 0
    const covered = events.filter(({ seq }) => seq > after && seq <= lastSeq)
    made.push(sealOver(made.at(-1), covered))
  }
  return made
}

/** A node that has sealed its audit log once or twice, in a database that is then rewritten. */
async function sealedBy(seals = 1) {
  const forgeable = forgeableStore()
  const honest = node(forgeable.store)
  for (let sealed = 0; sealed < seals; sealed += 1) {
    await honest.make(2)
    await honest.handle.sealAudit()
  }
  await honest.make(2)
  const { events, seals: stored } = await forgeable.tables()
  return { forgeable, honest, events, stored }
}

type Sealed = Awaited<ReturnType<typeof sealedBy>>

const forgeries: { readonly [what: string]: { message: RegExp; seals?: number; forge: (sealed: Sealed) => FullSeal[] } } = {
  'its newest seal was replaced, with the history below it': {
    message: /^seal 1 of the audit log was replaced .*: see verifyAudit\(\)$/,
    forge: ({ events, stored }) => resealed(rewritten(events), stored),
  },
  'its newest seal was replaced, and another seal follows': {
    message: /^seal 1 of the audit log was replaced .*: see verifyAudit\(\)$/,
    forge: ({ events, stored }) => {
      const seals = resealed(rewritten(events), stored)
      return [...seals, sealOver(seals.at(-1), rewritten(events).slice(2))]
    },
  },
  "a later seal continues a different history, so the node's seal can be replaced later": {
    message: /^seal 2 of the audit log does not continue seal 1.*: see verifyAudit\(\)$/,
    forge: ({ events, stored }) => {
      const seals = resealed(rewritten(events), stored)
      return [...stored.flatMap((each) => openSeal(each) ?? []), sealOver(seals.at(-1), rewritten(events).slice(2))]
    },
  },
  "a seal between the node's own seal and the newest seal was removed": {
    message: /^seal 2 of the audit log is missing.*: see verifyAudit\(\)$/,
    forge: ({ events, stored }) => {
      const [first] = stored.flatMap((each) => openSeal(each) ?? [])
      const second = sealOver(first, events.slice(2, 3))
      return [...(first === undefined ? [] : [first]), sealOver(second, events.slice(3))]
    },
  },
  'its newest seal was cut off': {
    message: /^seal 2 of the audit log is missing.*: see verifyAudit\(\)$/,
    seals: 2,
    forge: ({ stored }) => stored.slice(0, 1).flatMap((each) => openSeal(each) ?? []),
  },
  'all seals were removed': { message: /^seal 1 of the audit log is missing.*: see verifyAudit\(\)$/, forge: () => [] },
}

it.each(Object.entries(forgeries))('a node neither writes a seal nor reports a head after %s', async (_, { message, seals, forge }) => {
  const sealed = await sealedBy(seals)
  const { forgeable, honest, events } = sealed
  const before = [...honest.heads]
  forgeable.forge({ events: rewritten(events), seals: forge(sealed).map(storeSeal) })
  await expect(honest.handle.sealAudit()).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringMatching(message) })
  expect(honest.heads).toEqual(before)
  expect(honest.faults).toEqual(['sealing'])
  expect((await forgeable.tables()).seals).toHaveLength(seals ?? 1)

  forgeable.forge(undefined)
  expect(await honest.handle.sealAudit()).toMatchObject({ number: (seals ?? 1) + 1 })
})

it('retention records no removal in a chain whose newest seal was replaced, and removes nothing', async () => {
  const forgeable = forgeableStore()
  const honest = node(forgeable.store, { retention: { events: '30d' } })
  await honest.make(3)
  await honest.handle.sealAudit()
  const { events, seals } = await forgeable.tables()
  forgeable.forge({ events: rewritten(events), seals: resealed(rewritten(events), seals).map(storeSeal) })
  await expect(honest.retain(60 * DAY)).rejects.toThrow(/^seal 1 of the audit log was replaced/)
  expect((await forgeable.tables()).events).toHaveLength(3)
  expect((await forgeable.tables()).seals).toHaveLength(1)
})

it('retention removes nothing after all seals are removed, even if the `sealing` option is off', async () => {
  const forgeable = forgeableStore()
  const honest = node(forgeable.store, { retention: { events: '30d' }, sealing: false })
  await honest.make(3)
  await honest.handle.sealAudit()
  const { events } = await forgeable.tables()
  forgeable.forge({ events, seals: [] })
  await expect(honest.retain(60 * DAY)).rejects.toThrow(/^seal 1 of the audit log is missing/)
  expect((await forgeable.tables()).events).toHaveLength(3)
})

it('a node detects the replacement of a seal whose head it reported, even if another node wrote the seal', async () => {
  const forgeable = forgeableStore()
  const [other, honest] = [node(forgeable.store), node(forgeable.store)]
  await other.make(2)
  await other.handle.sealAudit()
  await honest.handle.sealAudit()
  expect(honest.heads.map(({ number }) => number)).toEqual([1])
  const { events, seals } = await forgeable.tables()
  forgeable.forge({ events: rewritten(events), seals: resealed(rewritten(events), seals).map(storeSeal) })
  await expect(honest.handle.sealAudit()).rejects.toThrow(/^seal 1 of the audit log was replaced/)
})

it('checking the chain costs the only sealing node no extra read, and costs one read after other nodes have sealed', async () => {
  const store = faultyStore(memoryStore())
  const [one, other] = [node(store), node(store)]
  const reads = async (by: typeof one): Promise<number> => {
    await one.make()
    const before = store.calls.length
    await by.handle.sealAudit()
    return store.calls.slice(before).filter(({ method }) => method === 'seals').length
  }
  for (let turn = 0; turn < 3; turn += 1) expect(await reads(one)).toBe(1)
  for (let turn = 0; turn < 150; turn += 1) expect(await reads(other)).toBe(1)
  expect(await reads(one)).toBe(2)
  expect(await reads(one)).toBe(1)
})

it('concurrent sealing on one node raises no false alarm', async () => {
  const honest = node(memoryStore())
  await honest.make(5)
  for (let turn = 0; turn < 10; turn += 1) {
    await Promise.all([honest.handle.sealAudit(), honest.make(2), honest.handle.sealAudit(), honest.handle.sealAudit()])
  }
  const head = await honest.handle.sealAudit()
  expect(honest.faults).toEqual([])
  expect(await honest.handle.verifyAudit(head && { head })).toMatchObject({ ok: true, sealed: 25, behind: 0 })
})
