import { createAnnouncer } from '../activity/announce.js'
import { Attempts } from '../activity/attempts.js'
import { CoalescedEvents } from '../activity/coalesced-events.js'
import { Consumers } from '../activity/consumers.js'
import { Housekeeping } from '../activity/housekeeping.js'
import { ImportedChanges } from '../activity/imported-changes.js'
import { LineageRevoker } from '../activity/lineages.js'
import { OpenUses } from '../activity/open-uses.js'
import { Outbox } from '../activity/outbox.js'
import { FreshRead, SharedRead } from '../activity/shared-read.js'
import { UsageRecorder } from '../activity/usage.js'
import { Budget, type Rate } from '../cache/budget.js'
import { createElapsedClock } from '../cache/elapsed.js'
import type { Entry } from '../cache/entry.js'
import { GuessingBudget } from '../cache/guessing.js'
import { Owners } from '../cache/owners.js'
import { RecordCache } from '../cache/records.js'
import { Signals, type Watched } from '../cache/signals.js'
import { countOne, Vitals } from '../model/vitals.js'
import type { Settings } from '../options.js'
import { nodeIdOf } from '../policy/cache-bounds.js'
import { endOfFormat } from '../policy/imports.js'
import { neverThrowing } from '../policy/instant.js'
import { Rates } from '../rate-limit/rates.js'
import { Allowance } from '../store/deadline.js'
import { GuardedStore } from '../store/guarded-store.js'
import { MoveWatch } from '../store/move-watch.js'
import { createReporter, type FaultReport, type Report } from '../store/reporter.js'
import { Background, createCallTurns, createTurns } from '../store/timer.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import type { Buffered, Context } from './context.js'
import { Imported } from './imported.js'
import { SlowHashes } from './slow-hashes.js'
import { ActorTurns, StoreTurns } from './store-turns.js'

const DEFAULT_FLUSH_MS = 1000
/** The longest pause between two searches for open signals that bulk changes affect. It adds to the time until other nodes' changes are known. */
const SIGNALS_PAUSE_MS = 100
/** The minimum time to read a changed token before work with it ends. */
const LEAST_UNREAD_MS = 100
const USED_TICKETS: Rate = { burst: 20, perSecond: 1 }
const OWNER_REFUSALS: Rate = { burst: 100, perSecond: 10 }
/** Callers that wait for other nodes share their store reads. There is at most one read in this interval. */
const LOOK_EVERY_MS = 20
const FEED_END = 1
/** A released lease expires at 0, so this selects every lease that has not been released. */
const ALL_LEASES = 0

/** Creates the context for the verbs of one instance. Does no I/O; that starts with the first call to a verb. */
export function buildContext(settings: Settings): Context {
  const { clock, monotonic, maxStalenessMs, prefix, catalogue } = settings
  // Never uses the injected random source, because two nodes with the same name would lose each other's counts.
  // Drawn at first use, because Workers allow no random numbers while a module is evaluated.
  let drawn: string | undefined
  const nodeId = (): string => {
    drawn ??= nodeIdOf(generateId(platformRandom), maxStalenessMs + settings.serveStaleMs)
    return drawn
  }
  const elapsed = createElapsedClock(monotonic, () => Date.now())
  const vitals = new Vitals()
  const background = new Background()
  const { onError } = settings.faults
  const onFault = (fault: FaultReport): unknown => {
    countOne(vitals.faults, fault.where)
    return onError?.(fault)
  }
  const report = createReporter({ ...settings.faults, onError: onFault }, monotonic, onError ?? onFault)
  const moves = new MoveWatch(settings.store, { prefix, monotonic: elapsed, maxAgeMs: maxStalenessMs / 2 })
  const store = new GuardedStore(settings.store, settings.deadlineMs, monotonic, report, moves)
  const newestSeq = async (): Promise<number> => {
    await outbox.place()
    return (await store.events({ prefix, limit: 1 }))[0]?.seq ?? 0
  }
  const consumers = new Consumers({
    rows: new SharedRead(() => store.consumers(prefix), monotonic),
    newest: new SharedRead(newestSeq, monotonic),
  })
  const together = { gapMs: LOOK_EVERY_MS, monotonic }
  const nodes = {
    leases: new FreshRead(() => store.leases(ALL_LEASES), together),
    feedEnd: new FreshRead(async () => (await store.changes(undefined, FEED_END)).cursor, together),
  }
  const tell = createAnnouncer(settings.onEvent, report)
  const announce: typeof tell = (events) => {
    tell(events)
    for (const { action } of events) countOne(vitals.events, action)
    if (events.length > 0) consumers.wake()
  }
  const usage = settings.usage === undefined ? undefined : new UsageRecorder(store, nodeId, neverThrowing(clock), report)
  const coalesced = { store, prefix, monotonic, announce, report, others: { actorId: 'system', details: { tokens: 'various' } } }
  const refusals = new CoalescedEvents({ ...coalesced, action: 'token.refused' })
  const reuses = new CoalescedEvents({ ...coalesced, action: 'token.reused' })
  const outbox = new Outbox(store, { prefix, monotonic, announce, committed: (tokenId) => records.committed(tokenId) })
  const owners =
    settings.owner === undefined ? undefined : createOwners(settings, settings.owner, elapsed, report, () => records.follower.isFresh())
  const records = new RecordCache(
    store,
    {
      nodeId,
      prefix,
      catalogue,
      maxEntries: settings.cache?.maxEntries,
      maxStalenessMs,
      serveStaleMs: settings.serveStaleMs,
      deadlineMs: settings.deadlineMs,
      clock,
      monotonic,
      elapsed,
      report,
      background,
    },
    {
      changed: (id) => signals.changed(id),
      bulkChanged: (filters) => signals.checkWhere(filters),
      ownerChanged: (owner) => owners?.changed(owner),
      everythingChanged: () => {
        owners?.everythingChanged()
        signals.checkAll()
      },
      lost: () => signals.checkAll(),
    },
  )
  const signals = new Signals({
    read: async (id, own) => watchedOf(own ? settings.imports : undefined, await records.readAgain(id)),
    follow: () => records.follower.start(),
    bridges: (id, hasChanged) => records.bridges(id, hasChanged),
    // A change is known after a quarter of the bound at the latest.
    unreadMs: Math.max(LEAST_UNREAD_MS, maxStalenessMs / 2),
    clock,
    report,
    background,
    pauseMs: Math.min(SIGNALS_PAUSE_MS, maxStalenessMs / 8),
  })
  const attempts = new Attempts({ store, prefix, monotonic, announce, report })
  const lineages =
    settings.onReuse === undefined
      ? undefined
      : new LineageRevoker({
          store,
          prefix,
          deadlineMs: settings.deadlineMs,
          report,
          announce,
          tellPlaced: (events) => outbox.tell(events),
          changed: (filter) => records.bulkChanged([filter]),
        })
  const importedChanges =
    settings.imports === undefined ? undefined : new ImportedChanges({ store, clock, announce, changed: (id) => records.changed(id) })
  const openUses = new OpenUses(() => housekeeping.scheduleFlush())
  const buffers: readonly Buffered[] = [openUses, usage, refusals, reuses, attempts, lineages, outbox, importedChanges].filter(
    (buffer) => buffer !== undefined,
  )
  const flush = async (): Promise<void> => {
    const now = clock()
    await Promise.all(buffers.map((buffer) => buffer.flush(now, false)))
  }
  // These may need many writes. Nothing else waits for them.
  const lengthy = new Set<Buffered>([usage, lineages, importedChanges].filter((buffer) => buffer !== undefined))
  const flushing = new Set<Buffered>()
  const flushSlow = async (buffer: Buffered, now: number): Promise<void> => {
    flushing.add(buffer)
    try {
      await buffer.flush(now, false)
    } catch (error) {
      report('flush', error)
    } finally {
      flushing.delete(buffer)
    }
  }
  const housekeeping = new Housekeeping(
    {
      flush: async () => {
        const now = clock()
        // These begin first, because open uses that have ended become part of the usage.
        const others = Promise.all(buffers.filter((buffer) => !lengthy.has(buffer)).map((buffer) => buffer.flush(now, false)))
        for (const buffer of lengthy) if (buffer.pending && !flushing.has(buffer)) void flushSlow(buffer, now)
        await others
      },
      pending: () => buffers.some(({ pending }) => pending),
      sweep: () => outbox.place(),
    },
    settings.usage?.flushMs ?? DEFAULT_FLUSH_MS,
    report,
    background,
  )
  const { imports, digesters, deadlineMs } = settings
  const slow = new SlowHashes(deadlineMs, monotonic, report)
  const scheduleFlush = (): void => housekeeping.scheduleFlush()
  const imported =
    imports === undefined || importedChanges === undefined
      ? undefined
      : new Imported({ imports, digesters, clock, report, slow, changes: importedChanges, scheduleFlush })
  return {
    settings,
    vitals,
    elapsed,
    store,
    allowance: undefined,
    nodeId,
    records,
    turns: new StoreTurns(settings, report),
    forgedTickets: new GuessingBudget(monotonic),
    usedTickets: new Budget(USED_TICKETS, monotonic),
    actorTurns: new ActorTurns(settings, report),
    caller: undefined,
    owners,
    ownerRefusals: new Budget(OWNER_REFUSALS, monotonic),
    rates: settings.rateLimit === undefined ? undefined : new Rates(settings.rateLimit, settings, report),
    signals,
    signalOf: (entry) => signals.open(entry),
    usage,
    openUses,
    giveWay: createCallTurns(monotonic),
    refusals,
    reuses,
    attempts,
    lineages,
    outbox,
    imported,
    report,
    announce,
    consumers,
    nodes,
    housekeeping,
    background,
    buffers,
    flush,
    scheduleFlush,
  }
}

/** Returns the context of one call. Everything the call waits for shares the allowance, which is the `deadline` option by default. */
export function forOneCall(context: Context, allowance: Allowance = new Allowance(context.settings)): Context {
  return { ...context, store: context.store.sharing(allowance), allowance }
}

/** Returns the context of work that reads many pages. Stores that answer synchronously would otherwise block the event loop until the last page. */
export function givingWay(context: Context): Context {
  return { ...context, store: context.store.givingWay(createTurns(context.settings.monotonic)) }
}

/** If a token was imported in a format with an `until`, its signal fires at that time. */
function watchedOf(imports: Settings['imports'], entry: Entry | undefined): Watched | undefined {
  const end = endOfFormat(imports, entry?.parts.importedFrom)
  if (entry === undefined || end === undefined) return entry
  const { id, tenantId, ownerId, createdBy, rootId, revokedAt, deactivatedAt, notBefore, expiresAt = end } = entry
  return {
    id,
    tenantId,
    ownerId,
    createdBy,
    rootId,
    lifecycle: { revokedAt, deactivatedAt, notBefore, expiresAt: Math.min(expiresAt, end) },
  }
}

function createOwners(
  settings: Settings,
  hook: NonNullable<Settings['owner']>,
  elapsed: () => number,
  report: Report,
  fresh: () => boolean,
): Owners {
  return new Owners(hook, {
    catalogue: settings.catalogue,
    deadlineMs: settings.deadlineMs,
    stalenessMs: settings.ownerStalenessMs,
    monotonic: elapsed,
    fresh,
    report,
  })
}
