import { type AuditHead, type AuditReport, type ListedEvent, latchkey } from 'latchkey'
import { verifyAuditExport } from 'latchkey/audit'
import { afterAll, describe, expect, it } from 'vitest'
import type { AuditEntry } from '../../src/audit/check.js'
import { eventDigest } from '../../src/audit/event-digest.js'
import { rootOf } from '../../src/audit/merkle.js'
import { type FullSeal, nextSeal, openSeal, storeSeal } from '../../src/audit/seal.js'
import { SCOPES } from '../latchkey/harness.js'
import { fc } from '../support/property.js'
import { exported, forgeableStore, type Tables } from './log.js'

const forgeable = forgeableStore()
const tokens = latchkey({ prefix: 'acme_test', store: forgeable.store, scopes: SCOPES, logger: false })
afterAll(() => tokens.close())
for (let round = 0; round < 5; round += 1) {
  for (let turn = 0; turn <= round; turn += 1) {
    const { record } = await tokens.system.create({ name: `ERP ${round}`, scopes: ['stock:read'], ownerId: 'bob', metadata: { n: turn } })
    await tokens.system.update(record.id, { name: 'New', description: 'x' })
    if (turn % 2 === 0) await tokens.system.revoke(record.id, { reason: 'left' })
  }
  await tokens.system.sealAudit()
}
const honest = await forgeable.tables()
const entries = await exported(tokens.system.exportAudit())
const head = (await tokens.system.sealAudit()) as AuditHead
const sealed = honest.events.length

/** The reports on the database and on an export of it. */
async function verifyBoth(tables: Tables, known: AuditHead | undefined = head): Promise<readonly AuditReport[]> {
  forgeable.forge(structuredClone(tables))
  try {
    const anchors = known === undefined ? {} : { head: known }
    const lines = await exported(tokens.system.exportAudit())
    return [await tokens.system.verifyAudit(anchors), await verifyAuditExport(lines, anchors)]
  } finally {
    forgeable.forge(undefined)
  }
}

const copy = (): Tables => structuredClone(honest)
const indexes = fc.nat({ max: sealed - 1 })
const kindsOf = (report: AuditReport | undefined): string[] => [...new Set(report?.problems.map(({ kind }) => kind))]

/** Another value of the same type, or no value. */
const replaced = (value: unknown): fc.Arbitrary<unknown> => {
  const other = (arbitrary: fc.Arbitrary<unknown>) => arbitrary.filter((made) => JSON.stringify(made) !== JSON.stringify(value))
  if (typeof value === 'number') return other(fc.oneof(fc.nat(), fc.constant(undefined)))
  if (typeof value === 'object') return other(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.constant(undefined)))
  return other(fc.oneof(fc.string(), fc.constant(undefined)))
}

describe('an audit log as it was sealed', () => {
  it('an unchanged audit log verifies from the database and from an export, and against every head that was kept', async () => {
    for (const report of await verifyBoth(honest)) {
      expect(report).toMatchObject({ ok: true, anchor: 'head', sealed, erased: 0, pruned: 0, behind: 0, problems: [], moreProblems: 0 })
    }
    const heads = honest.seals.map((seal) => openSeal(seal) as FullSeal)
    for (const seal of heads)
      expect(await tokens.system.verifyAudit({ head: { number: seal.number, hash: hashOf(seal) } })).toMatchObject({ ok: true })
    expect(heads.length).toBe(5)
    expect(entries.length).toBe(sealed + 5)
  })
})

function hashOf(seal: FullSeal): string {
  return nextSeal(seal, { prefix: seal.prefix, at: 0, leaves: [] }).previous
}

/** The whole chain, rebuilt over other events, as anyone with this code could rebuild it. */
function forgeChain(events: readonly ListedEvent[], sizes: readonly number[]): Tables {
  const seals: FullSeal[] = []
  let from = 0
  for (const size of sizes) {
    const leaves = events.slice(from, from + size).map((event) => [event.seq, eventDigest(event)] as const)
    seals.push(nextSeal(seals.at(-1), { prefix: 'acme_test', at: 1, leaves }))
    from += size
  }
  return { events: [...events], seals: seals.map(storeSeal) }
}

describe('changes to a sealed audit log', () => {
  it('verification detects a changed or missing field of any event', async () => {
    const changes = indexes.chain((index) => {
      const fields = Object.entries(honest.events[index] as object).filter(([field]) => field !== 'seq')
      return fc.constantFrom(...fields).chain(([field, value]) => replaced(value).map((made) => ({ index, field, made })))
    })
    await fc.assert(
      fc.asyncProperty(changes, async ({ index, field, made }) => {
        const tables = copy()
        const { [field]: _, ...rest } = tables.events[index] as unknown as Record<string, unknown>
        tables.events[index] = (made === undefined ? rest : { ...rest, [field]: made }) as unknown as ListedEvent
        for (const report of await verifyBoth(tables)) {
          expect(report.ok).toBe(false)
          expect(kindsOf(report)).toContain('changed')
          expect(report.problems.some(({ seq }) => seq === tables.events[index]?.seq)).toBe(true)
        }
      }),
      { numRuns: 80 },
    )
  })

  it('verification detects an added field that no event had', async () => {
    const missing = ['tenantId', 'ip', 'code', 'count', 'bulkId', 'erased', 'details', 'before', 'note']
    await fc.assert(
      fc.asyncProperty(indexes, fc.constantFrom(...missing), async (index, field) => {
        const tables = copy()
        fc.pre(!(field in (tables.events[index] as object)))
        tables.events[index] = {
          ...(tables.events[index] as ListedEvent),
          [field]: field === 'count' ? 1 : field === 'tenantId' ? 't' : {},
        }
        for (const report of await verifyBoth(tables)) expect(kindsOf(report)).toEqual(['changed'])
      }),
      { numRuns: 60 },
    )
  })

  it('verification detects an exported event that is marked as damaged, whatever it contains', async () => {
    for (const damaged of [[], ['after'], [5], 5, {}, null]) {
      const lines = structuredClone(entries) as { event?: Record<string, unknown> }[]
      const events: Record<string, unknown>[] = lines.flatMap(({ event }) => (event === undefined ? [] : [event]))
      Object.assign(events[3] ?? {}, { damaged })
      const report = await verifyAuditExport(lines as never, { head })
      expect(report.problems).toMatchObject([{ kind: 'changed', seq: events[3]?.seq, message: expect.stringContaining('damaged') }])
    }
  })

  it('verification detects each removed event by its position', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(indexes, { minLength: 1, maxLength: 10 }), async (gone) => {
        const tables = copy()
        tables.events = tables.events.filter((_, index) => !gone.includes(index))
        const places = gone.map((index) => honest.events[index]?.seq ?? 0).toSorted((a, b) => a - b)
        for (const report of await verifyBoth(tables)) {
          expect(report.problems.map(({ kind, seq }) => [kind, seq])).toEqual(places.map((seq) => ['removed', seq]))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('verification detects an inserted event, between two positions or at the position of another event', async () => {
    const places = honest.events.map(({ seq }) => seq)
    await fc.assert(
      fc.asyncProperty(indexes, async (index) => {
        const tables = copy()
        // Positions have gaps where transactions were rolled back.
        const fresh = { ...(tables.events[index] as ListedEvent), id: 'forged', seq: (places[index] ?? 0) - 0.5 }
        tables.events.push(fresh)
        const lines = interleave(tables.events, entries)
        const report = await verifyAuditExport(lines, { head })
        expect(report.ok).toBe(false)
      }),
      { numRuns: 30 },
    )
    const spread = spreadOut(honest)
    forgeable.forge(spread)
    const kept = (await tokens.system.verifyAudit()).head as AuditHead
    forgeable.forge(undefined)
    await fc.assert(
      fc.asyncProperty(indexes, async (index) => {
        const tables = structuredClone(spread)
        const event = tables.events[index] as ListedEvent
        tables.events.push({ ...event, id: 'forged', seq: event.seq - 1 })
        for (const report of await verifyBoth(tables, kept)) {
          expect(report.problems.map(({ kind, eventId }) => [kind, eventId])).toEqual([['inserted', 'forged']])
        }
      }),
      { numRuns: 30 },
    )
  })

  it('verification detects an event that was inserted before a seal of an export instead of after the last seal', async () => {
    const spread = spreadOut(honest)
    forgeable.forge(spread)
    const kept = (await tokens.system.verifyAudit()).head as AuditHead
    const lines = await exported(tokens.system.exportAudit())
    forgeable.forge(undefined)
    for (const [at, { seal }] of lines.entries()) {
      if (seal === undefined) continue
      const next = lines[at + 1]?.event as ListedEvent
      const forged = { event: { ...next, id: 'forged', seq: next.seq - 1 } }
      const report = await verifyAuditExport(lines.toSpliced(at, 0, forged), { head: kept })
      expect(report).toMatchObject({ ok: false, behind: 0 })
      expect(report.problems[0]).toMatchObject({ kind: 'inserted', seq: next.seq - 1, eventId: 'forged' })
    }
    const last = { ...(lines.at(-1)?.event as ListedEvent), id: 'later', seq: 1_000_000 }
    expect(await verifyAuditExport([...lines, { event: last }], { head: kept })).toMatchObject({ ok: true, behind: 1 })
  })

  it('verification detects two events that were swapped', async () => {
    await fc.assert(
      fc.asyncProperty(indexes, indexes, async (first, second) => {
        fc.pre(first !== second)
        const tables = copy()
        const [a, b] = [tables.events[first] as ListedEvent, tables.events[second] as ListedEvent]
        tables.events[first] = { ...b, seq: a.seq }
        tables.events[second] = { ...a, seq: b.seq }
        for (const report of await verifyBoth(tables)) {
          expect(report.problems.length).toBe(2)
          expect(['changed', 'reordered']).toContain(kindsOf(report)[0])
        }
      }),
      { numRuns: 60 },
    )
    const tables = copy()
    const [a, b] = tables.events.slice(-2) as [ListedEvent, ListedEvent]
    tables.events.splice(-2, 2, { ...b, seq: a.seq }, { ...a, seq: b.seq })
    for (const report of await verifyBoth(tables)) expect(kindsOf(report)).toEqual(['reordered'])
  })

  it('verification detects lines of an export that were swapped, duplicated or truncated', async () => {
    const at = fc.nat({ max: entries.length - 1 })
    await fc.assert(
      fc.asyncProperty(at, at, fc.constantFrom('swap', 'double', 'cut', 'drop'), async (first, second, act) => {
        fc.pre(first !== second)
        const lines = [...entries]
        if (act === 'swap') [lines[first], lines[second]] = [lines[second] as AuditEntry, lines[first] as AuditEntry]
        if (act === 'double') lines.splice(second, 0, lines[first] as AuditEntry)
        if (act === 'cut') lines.length = first
        if (act === 'drop') lines.splice(first, 1)
        expect((await verifyAuditExport(lines, { head })).ok).toBe(false)
      }),
      { numRuns: 80 },
    )
  })

  it('verification detects a database that was replaced by an older copy or whose end was cut off', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 4 }), fc.boolean(), async (kept, withEvents) => {
        const tables = copy()
        tables.seals.length = kept
        const last = kept === 0 ? 0 : (openSeal(tables.seals[kept - 1] as never)?.lastSeq ?? 0)
        if (withEvents) tables.events = tables.events.filter(({ seq }) => seq <= last)
        for (const report of await verifyBoth(tables)) {
          expect(kindsOf(report)).toEqual(['seal'])
          expect(report.problems[0]?.message).toMatch(/the end was cut off/)
        }
      }),
      { numRuns: 12 },
    )
  })

  it('verification detects a changed field of a seal, and text in place of a seal', async () => {
    const bodies = fc.nat({ max: 4 }).chain((index) => {
      const seal = openSeal(honest.seals[index] as never) as FullSeal
      const changed = fc
        .constantFrom(...Object.entries(seal).filter(([field]) => field !== 'signature'))
        .chain(([field, value]) => replaced(value).map((made) => JSON.stringify({ ...seal, [field]: made })))
      return fc.oneof(changed, fc.string(), fc.json()).map((body) => ({ index, body }))
    })
    await fc.assert(
      fc.asyncProperty(bodies, async ({ index, body }) => {
        const tables = copy()
        tables.seals[index] = { ...(tables.seals[index] as (typeof tables.seals)[0]), body }
        for (const report of await verifyBoth(tables)) expect(kindsOf(report)).toContain('seal')
      }),
      { numRuns: 60 },
    )
  })

  it('verification detects a whole chain that was rebuilt over changed events', async () => {
    const sizes = honest.seals.map((seal) => openSeal(seal)?.count ?? 0)
    // The same code builds the same chain from the same events, except for the instants.
    expect(forgeChain(honest.events, sizes).seals.length).toBe(5)
    await fc.assert(
      fc.asyncProperty(indexes, async (index) => {
        const tables = copy()
        const event = tables.events[index] as ListedEvent
        tables.events[index] = { ...event, actorId: 'somebody else' }
        const forged = forgeChain(tables.events, sizes)
        for (const report of await verifyBoth(forged)) expect(kindsOf(report)).toEqual(['seal'])
        // Without a head kept outside, this cannot be detected, as the docs say.
        forgeable.forge(forged)
        expect(await tokens.system.verifyAudit()).toMatchObject({ ok: true, anchor: 'none' })
        forgeable.forge(undefined)
      }),
      { numRuns: 20 },
    )
  })

  it('verification detects missing, duplicated and reordered seals', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(honest.seals, { minLength: 1 }), async (seals) => {
        fc.pre(JSON.stringify(seals) !== JSON.stringify(honest.seals))
        const lines: AuditEntry[] = [...seals.map(({ body }) => ({ seal: JSON.parse(body) })), ...honest.events.map((event) => ({ event }))]
        expect((await verifyAuditExport(lines, { head })).ok).toBe(false)
      }),
      { numRuns: 60 },
    )
  })

  it('verification detects a removal that is recorded only in a seal after the kept head', async () => {
    const tables = copy()
    const last = openSeal(tables.seals.at(-1) as never) as FullSeal
    const through = tables.events[3]?.seq ?? 0
    tables.events.splice(0, 4)
    tables.seals.push(storeSeal(nextSeal(last, { prefix: 'acme_test', at: 1, leaves: [], prunedThrough: through })))
    for (const report of await verifyBoth(tables)) {
      expect(report.problems.map(({ kind, seq }) => [kind, seq])).toEqual(honest.events.slice(0, 4).map(({ seq }) => ['removed', seq]))
    }
  })

  it('verification detects leaves that were renumbered as if retention had removed some', async () => {
    const tables = copy()
    const seal = openSeal(tables.seals[0] as never) as FullSeal
    const leaves = seal.leaves.map(([seq, digest], index) => [index === 1 ? seq - 0.5 : seq, digest] as const)
    expect(() => rootOf(leaves)).toThrow()
    const moved = seal.leaves.map(([seq, digest]) => [Math.max(0, seq - 1), digest] as const)
    tables.seals[0] = storeSeal({ ...seal, leaves: moved })
    for (const report of await verifyBoth(tables)) expect(kindsOf(report)).toEqual(['seal'])
  })
})

/** An export in which each seal follows the events that it covers, sorted by position. */
function interleave(events: readonly ListedEvent[], lines: readonly AuditEntry[]): AuditEntry[] {
  const rest = events.toSorted((a, b) => a.seq - b.seq)
  return lines.flatMap((line): AuditEntry[] => {
    if (line.seal !== undefined) return [line]
    const end = rest.findIndex(({ seq }) => seq === line.event?.seq)
    return rest.splice(0, end + 1).map((event) => ({ event }))
  })
}

/** The same audit log with gaps between the positions. */
function spreadOut({ events, seals }: Tables): Tables {
  return forgeChain(
    events.map((event) => ({ ...event, seq: event.seq * 10 })),
    seals.map((seal) => openSeal(seal)?.count ?? 0),
  )
}
