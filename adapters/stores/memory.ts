import type { StoredToken } from '../../src/model/record.js'
import { refuseFurther } from '../../src/policy/refuse-further.js'
import { bulkEvents } from '../../src/store/bulk-events.js'
import { compileFilter } from '../../src/store/compile-filter.js'
import type { StoreFinding } from '../../src/store/diagnosis.js'
import {
  isSameMove,
  type Move,
  onlyCutsFeed,
  prefixOf,
  type Restored,
  type RestoreResult,
  refuseWhileMoving,
} from '../../src/store/moving.js'
import type { Change, CommitResult, NodeLease, TokenCap, TokenFilter, TokenStore } from '../../src/store/port.js'
import { createConsumers } from './memory/consumers.js'
import { createEvents } from './memory/events.js'
import { createFeed, type FeedEntry } from './memory/feed.js'
import { frozenCopy } from './memory/frozen-copy.js'
import { countsFor, matcherOf } from './memory/match.js'
import { createRecords } from './memory/records.js'
import { createSeals } from './memory/seals.js'
import { createTickets } from './memory/tickets.js'
import { createUsage } from './memory/usage.js'

/** Number of change feed entries that are kept. For a follower further behind, the feed reports that everything may have changed. */
const FEED_HISTORY = 50_000

const IN_MEMORY: StoreFinding = {
  name: 'durability',
  ok: false,
  detail: 'data is lost when the process ends, and no other process sees it',
  advice: 'Use a different store outside of tests.',
}

/** How long, in milliseconds on this process's monotonic clock, a lease is kept without being renewed. */
const FORGET_LEASES_AFTER = 24 * 3_600_000

/**
 * Creates a store in the memory of this process, for tests and experiments.
 *
 * It keeps everything that the other stores keep, responds immediately, and loses everything when the process ends. `close()` keeps the data: another
 * instance that uses the same store can continue with it.
 *
 * @example
 * ```ts
 * const tokens = latchkey({ prefix: 'acme_test', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
 * ```
 */
export function memoryStore(): TokenStore
export function memoryStore(...further: readonly unknown[]): TokenStore {
  refuseFurther(further, 'memoryStore() takes no options')
  const records = createRecords()
  const usage = createUsage()
  const feed = createFeed(FEED_HISTORY)
  const events = createEvents()
  const consumers = createConsumers()
  const seals = createSeals()
  const tickets = createTickets()
  /** The most recently renewed come last. */
  const leases = new Map<string, { readonly lease: NodeLease; readonly renewed: number }>()
  const moves = new Map<string, Move>()

  /** Returns the first ID that conflicts with a change. */
  function conflictOf(change: Change): string | undefined {
    const inserted = new Set<string>()
    for (const { id } of change.inserts ?? []) {
      if (inserted.has(id) || records.get(id) !== undefined) return id
      inserted.add(id)
    }
    const updated = new Set<string>()
    for (const { expectedVersion, record } of change.updates ?? []) {
      if (updated.has(record.id) || records.get(record.id)?.version !== expectedVersion) return record.id
      updated.add(record.id)
    }
    const told = new Set<string>()
    for (const { id } of change.events) {
      if (told.has(id) || events.has(id)) return id
      told.add(id)
    }
    return change.erasures?.find(({ before }) => !events.isAs(before))?.before.id
  }

  /** Returns whether this cap would hold after the change. */
  function holds(cap: TokenCap, { inserts = [], updates = [], removals = [] }: Change): boolean {
    const written = [...inserts, ...updates.map(({ record }) => record)]
    const changed = new Set([...written.map(({ id }) => id), ...removals])
    let count = written.filter((token) => countsFor(token, cap)).length
    for (const token of records.newestFirst(cap.prefix)) {
      if (!changed.has(token.id) && countsFor(token, cap)) count += 1
      if (count > cap.max) return false
    }
    return count <= cap.max
  }

  function refuseFenced(change: Change): void {
    if (onlyCutsFeed(change)) return
    const prefix = prefixOf(change)
    for (const [of, move] of moves) if (prefix === undefined || of === prefix) refuseWhileMoving(move)
  }

  function commit(change: Change): CommitResult {
    refuseFenced(change)
    const conflict = conflictOf(change)
    if (conflict !== undefined) return { ok: false, conflict }
    const exceeded = change.caps?.findIndex((cap) => !holds(cap, change)) ?? -1
    if (exceeded !== -1) return { ok: false, exceeded }
    // Copied first: data that cannot be copied then causes an error before anything is changed.
    const written = [...(change.inserts ?? []), ...(change.updates ?? []).map(({ record }) => record)].map((token) => frozenCopy(token))
    const told = change.events.map((event) => frozenCopy(event))
    const left = (change.erasures ?? []).map(({ after }) => frozenCopy(after))
    const gone = (change.removals ?? []).filter((id) => records.get(id) !== undefined)
    for (const token of written) records.put(token)
    for (const id of gone) {
      records.remove(id)
      usage.remove(id)
    }
    for (const event of left) events.replace(event)
    for (const event of told) events.append(event)
    if (change.cutsFeed !== undefined) feed.cut(change.cutsFeed)
    feed.append([
      ...written.map(({ id }): FeedEntry => ({ tokenId: id })),
      ...gone.map((id): FeedEntry => ({ tokenId: id })),
      ...(change.ownersChanged ?? []).map((owner): FeedEntry => ({ owner: frozenCopy(owner) })),
    ])
    return { ok: true }
  }

  function restore(restored: Restored): RestoreResult {
    const { prefix, runId, tokens = [], removedTokens = [], events: told = [], removedEvents = [] } = restored
    if (moves.get(prefix)?.runId !== runId) return 'superseded'
    const isElsewhere = (id: string): boolean => (records.get(id)?.prefix ?? prefix) !== prefix
    if (tokens.some(({ id }) => isElsewhere(id)) || told.some((event) => events.isTaken(event))) return 'taken'
    for (const id of removedTokens.filter((id) => !isElsewhere(id))) {
      records.remove(id)
      usage.remove(id)
    }
    for (const token of tokens) records.put(frozenCopy(token))
    if (removedEvents.length > 0) events.remove(prefix, removedEvents)
    for (const event of told) events.place(event)
    for (const each of restored.usage ?? []) usage.replace(each)
    for (const name of restored.removedConsumers ?? []) consumers.drop(prefix, name)
    for (const state of restored.consumers ?? []) consumers.put(state)
    for (const seal of restored.seals ?? []) seals.put(seal)
    return 'written'
  }

  function renewLease(lease: NodeLease): void {
    const renewed = performance.now()
    leases.delete(lease.nodeId)
    leases.set(lease.nodeId, { lease: Object.freeze({ ...lease }), renewed })
    for (const [nodeId, other] of leases) {
      if (renewed - other.renewed < FORGET_LEASES_AFTER) break
      leases.delete(nodeId)
    }
  }

  /** The tokens with the IDs of the filter if it has any, otherwise all tokens of the prefix. */
  function candidates(filter: TokenFilter): Iterable<StoredToken> {
    if (filter.ids === undefined) return records.newestFirst(filter.prefix)
    return [...new Set(filter.ids)].flatMap((id) => records.get(id) ?? []).filter(({ prefix }) => prefix === filter.prefix)
  }

  return {
    name: 'memory',

    find: (ids) => [...new Set(ids)].flatMap((id) => records.get(id) ?? []),

    list(query) {
      const page = []
      const matches = matcherOf(query)
      for (const token of records.newestFirst(query.prefix, query.after)) {
        if (page.length >= query.limit) break
        const use = usage.lastUse(token.id)
        if (!matches(token, use)) continue
        if (use === undefined) page.push(token)
        else page.push({ ...token, lastUsedAt: use.at, ...(use.ip === undefined ? {} : { lastUsedIp: use.ip }) })
      }
      return page
    },

    distinct: (query) => records.names(query),

    commit,

    revokeWhere(filter, stamp, event) {
      refuseWhileMoving(moves.get(filter.prefix))
      if (events.has(event.id)) throw new Error(`memory store: an event with the ID ${event.id} already exists, so nothing was revoked`)
      const matches = compileFilter(filter)
      const matching = [...candidates(filter)].filter((token) => token.revokedAt === undefined && matches(token))
      const touched = new Map<string | undefined, number>()
      for (const token of matching) {
        touched.set(token.tenantId, (touched.get(token.tenantId) ?? 0) + 1)
        records.put(frozenCopy({ ...token, ...stamp, updatedAt: stamp.revokedAt, version: token.version + 1 }))
      }
      const told = frozenCopy(bulkEvents(event, touched))
      for (const each of told) events.append(each)
      if (matching.length > 0) feed.append([{ bulk: frozenCopy(filter) }])
      return { count: matching.length, events: told }
    },

    events: (query) => events.page(query),
    changes: (after, limit) => feed.read(after, limit),
    subscribe: (wake) => feed.subscribe(wake),
    reached: (cursor, target) => feed.reached(cursor, target),
    recordUsage: (batch) => usage.record(batch, (id) => records.get(id)),
    usage: (query) => usage.report(query),

    renewLease,

    renewLeases(given) {
      for (const lease of given) renewLease(lease)
    },

    leases: (now) => [...leases.values()].map(({ lease }) => lease).filter(({ expiresAt }) => now < expiresAt),

    consumers: (prefix) => consumers.of(prefix),
    saveConsumer: (state) => consumers.save(state),
    removeConsumer: (consumer) => consumers.remove(consumer),
    seals: (query) => seals.page(query),
    saveSeal(seal) {
      refuseWhileMoving(moves.get(seal.prefix))
      return seals.save(seal)
    },
    removeEvents: (prefix, ids) => events.remove(prefix, ids),
    trimUsage(trim) {
      usage.trim(trim)
      return false
    },

    saveTicket: (ticket, room) => records.get(ticket.tokenId)?.prefix === ticket.prefix && tickets.save(ticket, room),
    takeTicket: (prefix, digest) => tickets.take(prefix, digest),

    diagnose: () => ({ findings: [IN_MEMORY] }),

    readMove: (prefix) => moves.get(prefix),

    saveMove(prefix, expected, next) {
      if (!isSameMove(moves.get(prefix), expected)) return false
      if (next === undefined) moves.delete(prefix)
      else moves.set(prefix, Object.freeze({ ...next }))
      feed.append([{ moved: prefix }])
      feed.cut()
      return true
    },

    restore,

    close() {
      feed.quiet()
    },
  }
}
