import type { ListedEvent, StoredEvent } from '../../../src/model/event.js'
import type { UsageAddress, UsageBatch, UsageCount, UsageQuery, UsageRows } from '../../../src/model/usage.js'
import {
  type EventPage,
  type EventQuery,
  type FeedPage,
  MOST_EXAMINED,
  type NodeLease,
  type OwnerChange,
  type TokenFilter,
} from '../../../src/store/port.js'
import type { Connection } from './connection.js'
import { decodeEntry, decodeListed, flagOf, groupsOf, listOf, type Row, unexpected } from './encode.js'
import { eventIndex } from './keys.js'
import { scripts } from './scripts.js'

/** The minimum and maximum number of events to read in one step; the filter may drop most of them. */
const EVENT_STEP = { least: 100, most: 1_000 }

/** Merging the events of more tenants than this would block the server, so the log is read instead. */
const MERGED_TENANTS = 500

/** Each hash contains the counters of 30 days, so that a query reads little more than its range. */
const PERIOD = 30 * 86_400_000

/** Returns the period that contains an instant. */
export function periodOf(instant: number): number {
  return Math.floor(instant / PERIOD)
}

/** The maximum number of addresses to return, most recent first. */
const MAX_ADDRESSES = 1_000

/** The number of IDs per script when reporting usage, and the number of counters after which a script stops. */
const REPORT_STEP = 50
const REPORT_COUNTERS = 10_000

/** Reads one page of the audit log, from the smallest index that covers the query. Stops after `MOST_EXAMINED` events. */
export async function readEvents(connection: Connection, query: EventQuery): Promise<EventPage> {
  if (query.id !== undefined) return await readOne(connection, query, query.id)
  const { prefix, tokenId, bulk, tenantIds, actions, createdBy, limit } = query
  // The events that `bulk` adds are not in the indexes that narrow the rest of the query.
  const added = bulk === undefined ? [] : [eventIndex(prefix, 'bulk', bulk.bulkId)]
  const reached = tenantIds && new Set(tenantIds)
  const areMerged = reached !== undefined && reached.size <= MERGED_TENANTS
  const least = reached === undefined || areMerged ? EVENT_STEP.least : EVENT_STEP.most
  const choices = [
    ...(tokenId === undefined ? [] : [[eventIndex(prefix, 'token', tokenId), ...added]]),
    ...(createdBy === undefined ? [] : [[eventIndex(prefix, 'creator', createdBy), ...added]]),
    ...(areMerged ? [[...reached].map((tenantId) => eventIndex(prefix, 'tenant', tenantId))] : []),
    ...(actions === undefined ? [] : [[...new Set(actions)].map((action) => eventIndex(prefix, 'action', action))]),
    [eventIndex(prefix)],
  ]
  const page: ListedEvent[] = []
  let after = query.after
  let shown: number | undefined
  let examined = 0
  let step = least
  while (page.length < limit) {
    if (examined >= MOST_EXAMINED && after !== undefined) return Object.assign(page, { stoppedAt: after })
    const wanted = Math.min(Math.max(limit - page.length, step), EVENT_STEP.most)
    // The filter dropped most events of the last step.
    step = Math.min(2 * step, EVENT_STEP.most)
    const { rows, more } = await readStep(connection, query, [JSON.stringify(choices), after ?? '', wanted])
    examined += rows.length
    for (const [seq, id, body] of rows) {
      after = Number(seq)
      // A body may be missing if the host deletes old events. An event that is in both indexes appears twice in a row.
      if (body === '' || after === shown) continue
      shown = after
      const event = decodeListed(body, { prefix, id: String(id) })
      if (page.length < limit && matches(event, query, reached)) page.push({ ...event, seq: after })
    }
    if (!more) break
  }
  return page
}

async function readOne(connection: Connection, query: EventQuery, id: string): Promise<readonly ListedEvent[]> {
  const { prefix, order, after } = query
  const [place, body] = listOf(await connection.run(scripts.oneEvent, [eventIndex(prefix), id]))
  if (place === undefined || body === undefined) return []
  const seq = Number(place)
  const event = decodeListed(body, { prefix, id })
  const isBehind = after === undefined || (order === 'oldest' ? seq > after : seq < after)
  return isBehind && matches(event, query, query.tenantIds && new Set(query.tenantIds)) ? [{ ...event, seq }] : []
}

type Step = { readonly rows: readonly Row[]; readonly more: boolean }

async function readStep(connection: Connection, { order }: EventQuery, args: readonly [string, number | string, number]): Promise<Step> {
  if (order === 'oldest') {
    const [more, ...flat] = listOf(await connection.run(scripts.oldestEvents, args))
    return { rows: groupsOf(flat, 3), more: Number(more) === 1 }
  }
  const rows = groupsOf(listOf(await connection.run(scripts.events, args)), 3)
  return { rows, more: rows.length >= args[2] }
}

// It is unknown whom a damaged event concerns, so only queries for all events return it.
function matches(event: ListedEvent | StoredEvent, query: EventQuery, reached: ReadonlySet<string> | undefined): boolean {
  if (!('damaged' in event)) return matchesFields(event, query, reached)
  const { prefix: _, id: __, order: ___, after: ____, limit: _____, ...filter } = query
  return Object.values(filter).every((value) => value === undefined)
}

function matchesFields(
  event: StoredEvent,
  { tokenId, bulk, actions, createdBy, actorId, from, to }: EventQuery,
  reached: ReadonlySet<string> | undefined,
): boolean {
  const isAbout = (tokenId === undefined || event.tokenId === tokenId) && (createdBy === undefined || event.createdBy === createdBy)
  const isPart = bulk !== undefined && event.bulkId === bulk.bulkId && event.tenantId === bulk.tenantId
  return (
    (isAbout || isPart) &&
    (reached === undefined || (event.tenantId !== undefined && reached.has(event.tenantId))) &&
    (actions === undefined || actions.includes(event.action)) &&
    (actorId === undefined || event.actorId === actorId) &&
    (from === undefined || event.at >= from) &&
    (to === undefined || event.at < to)
  )
}

/** Reads a page of the change feed. Its cursor is the server's run and a position: `4f1c….17`. */
export async function readFeed(connection: Connection, after: string | undefined, limit: number): Promise<FeedPage> {
  // An invalid cursor is treated as a position in an unknown run.
  const place = after === undefined ? { position: '', run: '' } : (placeOf(after) ?? { position: '0', run: 'none' })
  const answer = listOf(await connection.run(scripts.feed, [place.position, place.run, limit]))
  const [run, position, everything, more, ...rows] = answer
  const entries = rows.map((row) => String(row).replace(/^\d+:/, ''))
  return {
    cursor: `${run}.${position}`,
    ids: entries.filter((entry) => entry.startsWith('t')).map((entry) => entry.slice(1)),
    owners: entries.filter((entry) => entry.startsWith('o')).map((entry) => decodeEntry<OwnerChange>(entry.slice(1))),
    bulk: entries.filter((entry) => entry.startsWith('b')).map((entry) => decodeEntry<TokenFilter>(entry.slice(1))),
    everything: Number(everything) === 1,
    more: Number(more) === 1,
  }
}

/** Positions of different runs cannot be compared. The result is then `false`, and callers that wait for a node wait until its lease expires. */
export function hasReached(cursor: string, target: string): boolean {
  const here = placeOf(cursor)
  const there = placeOf(target)
  return here !== undefined && there !== undefined && here.run === there.run && Number(here.position) >= Number(there.position)
}

function placeOf(cursor: string): { readonly run: string; readonly position: string } | undefined {
  const [, run, position] = /^([0-9a-z]{1,64})\.(\d{1,15})$/.exec(cursor) ?? []
  return run === undefined || position === undefined ? undefined : { run, position }
}

/** Encodes usage as script arguments, after the numbers of counts, addresses and last uses. */
export function usageArguments({
  counts,
  addresses,
  lastUses,
}: Pick<UsageBatch, 'counts' | 'addresses' | 'lastUses'>): (string | number)[] {
  return [
    counts.length,
    addresses.length,
    lastUses.length,
    ...counts.flatMap(({ tokenId, bucketAt, endpoint, outcome, scope, count }) => [
      tokenId,
      periodOf(bucketAt),
      JSON.stringify([bucketAt, endpoint, outcome, scope]),
      count,
    ]),
    ...addresses.flatMap(({ tokenId, ip, count, lastAt }) => [tokenId, ip, count, lastAt]),
    ...lastUses.flatMap(({ tokenId, at, ip }) => [tokenId, at, ip ?? '']),
  ]
}

export async function recordUsage(connection: Connection, batch: UsageBatch): Promise<boolean> {
  return flagOf(await connection.run(scripts.recordUsage, [batch.nodeId, batch.seq, ...usageArguments(batch)]))
}

export async function reportUsage(connection: Connection, { tokenIds, from, to, limit, stepMs }: UsageQuery): Promise<UsageRows> {
  let ids: readonly string[] = [...new Set(tokenIds)]
  const first = from === undefined ? '-inf' : periodOf(from)
  const last = to === undefined ? '+inf' : periodOf(to)
  const counts: UsageCount[] = []
  const addresses: UsageAddress[] = []
  let behind = ''
  let found = 0
  while (ids.length > 0 && !(stepMs !== undefined && limit !== undefined && found >= limit)) {
    const left = limit === undefined ? '' : limit - found
    const args = [first, last, from ?? '', to ?? '', left, stepMs ?? '', REPORT_COUNTERS, behind, ...ids.slice(0, REPORT_STEP)]
    const rows = listOf(await connection.run(scripts.reportUsage, args))
    if (rows.length === 0) throw unexpected()
    for (const row of rows) {
      const [id, counters, places, rest, ofToken] = listOf(row)
      const tokenId = String(id)
      for (const [field, count] of groupsOf(listOf(counters), 2)) {
        const [bucketAt, endpoint, outcome, scope]: [number, string, string, string] = JSON.parse(String(field))
        counts.push({ tokenId, bucketAt, endpoint, outcome, scope, count: Number(count) })
      }
      for (const [ip, lastAt, count] of groupsOf(listOf(places), 3)) {
        addresses.push({ tokenId, ip: String(ip), count: Number(count), lastAt: Number(lastAt) })
      }
      behind = String(rest)
      found += Number(ofToken)
    }
    ids = ids.slice(behind === '' ? rows.length : rows.length - 1)
  }
  return {
    counts: (stepMs === undefined ? counts : summed(counts)).sort(
      (a, b) =>
        a.bucketAt - b.bucketAt ||
        byBytes(a.endpoint, b.endpoint) ||
        byBytes(a.outcome, b.outcome) ||
        byBytes(a.scope, b.scope) ||
        byBytes(a.tokenId, b.tokenId),
    ),
    addresses: addresses.sort((a, b) => b.lastAt - a.lastAt || byBytes(a.ip, b.ip)).slice(0, MAX_ADDRESSES),
    ...(stepMs !== undefined && { summed: found }),
  }
}

/** Adds up the sums of one step that two scripts returned. */
function summed(counts: readonly UsageCount[]): UsageCount[] {
  const sums = new Map<string, UsageCount>()
  for (const row of counts) {
    const key = JSON.stringify([row.tokenId, row.bucketAt, row.outcome])
    sums.set(key, { ...row, count: row.count + (sums.get(key)?.count ?? 0) })
  }
  return [...sums.values()]
}

function byBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

export async function renewLeases(connection: Connection, leases: readonly NodeLease[]): Promise<void> {
  if (leases.length === 0) return
  const rows = leases.flatMap(({ nodeId, cursor, expiresAt }) => [nodeId, cursor, expiresAt])
  // A node that trusts its cache relies on its lease.
  flagOf(await connection.run(scripts.renewLeases, rows))
}

export async function readLeases(connection: Connection, now: number): Promise<readonly NodeLease[]> {
  return groupsOf(listOf(await connection.run(scripts.readLeases, [now])), 3).map(([nodeId, expiresAt, cursor]) => ({
    nodeId: String(nodeId),
    cursor: String(cursor),
    expiresAt: Number(expiresAt),
  }))
}
