import type {
  DistinctQuery,
  EventQuery,
  FeedPage,
  ListedEvent,
  ListedToken,
  ListQuery,
  SealQuery,
  StoredSeal,
  StoredToken,
  TokenStatus,
  UsageCount,
  UsageQuery,
  UsageRows,
} from 'latchkey'
import { isIn, matches, type State } from './state.js'

function statusAt(token: StoredToken, now: number): TokenStatus {
  if (token.revokedAt !== undefined) return 'revoked'
  if (token.deactivatedAt !== undefined) return 'inactive'
  if (token.notBefore !== undefined && now < token.notBefore) return 'pending'
  if (token.expiresAt !== undefined && now >= token.expiresAt) return 'expired'
  return 'active'
}

function isRotationDue(token: StoredToken, from: number, now: number): boolean {
  const ended = token.revokedAt !== undefined || token.replacedById !== undefined || now >= (token.expiresAt ?? Number.POSITIVE_INFINITY)
  return !ended && token.rotationDueAt !== undefined && token.rotationDueAt >= from && token.rotationDueAt <= now
}

/** Lowercases only ASCII letters. The rules for other letters differ between databases. */
function fold(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function isListed(token: StoredToken, usedAt: number | undefined, query: ListQuery): boolean {
  return (
    matches(token, query) &&
    (query.after === undefined || newestFirst(token, query.after) > 0) &&
    isIn(statusAt(token, query.now), query.statuses) &&
    (query.nameContains === undefined || fold(token.name).includes(fold(query.nameContains))) &&
    (query.idStartsWith === undefined || token.id.startsWith(query.idStartsWith)) &&
    (query.rotationDue === undefined || isRotationDue(token, query.rotationDueFrom ?? 0, query.now)) &&
    (query.expiresFrom === undefined || (token.expiresAt !== undefined && token.expiresAt >= query.expiresFrom)) &&
    (query.expiresBefore === undefined || (token.expiresAt !== undefined && token.expiresAt < query.expiresBefore)) &&
    (query.neverExpires === undefined || token.expiresAt === undefined) &&
    (query.unusedSince === undefined || usedAt === undefined || usedAt < query.unusedSince) &&
    (query.neverUsed === undefined || usedAt === undefined) &&
    (query.imported === undefined || token.importedFrom !== undefined) &&
    (query.notReplaced === undefined || token.replacedById === undefined)
  )
}

type Position = { readonly createdAt: number; readonly id: string }

function newestFirst(a: Position, b: Position): number {
  return b.createdAt - a.createdAt || compare(b.id, a.id)
}

export function listTokens(state: State, query: ListQuery): ListedToken[] {
  const rows = [...state.tokens.values()].filter((token) => isListed(token, state.lastUses.get(token.id)?.at, query))
  return rows
    .sort(newestFirst)
    .slice(0, query.limit)
    .map((token) => {
      const use = state.lastUses.get(token.id)
      return { ...token, ...(use && { lastUsedAt: use.at }), ...(use?.ip !== undefined && { lastUsedIp: use.ip }) }
    })
}

export function listDistinct(state: State, { prefix, field, tenantId, after = '', limit }: DistinctQuery): string[] {
  const tokens = [...state.tokens.values()].filter(
    (token) => token.prefix === prefix && (tenantId === undefined || token.tenantId === tenantId),
  )
  const values = new Set(tokens.flatMap((token) => token[field] ?? []))
  return [...values]
    .filter((value) => value > after)
    .sort()
    .slice(0, limit)
}

export function listEvents(
  state: State,
  { prefix, id, tokenId, bulk, tenantIds, actions, createdBy, actorId, from, to, order, after, limit }: EventQuery,
): ListedEvent[] {
  const rows = state.events.filter((event) => {
    const isAbout = (tokenId === undefined || event.tokenId === tokenId) && (createdBy === undefined || event.createdBy === createdBy)
    const isPart = bulk !== undefined && event.bulkId === bulk.bulkId && event.tenantId === bulk.tenantId
    return (
      event.prefix === prefix &&
      (id === undefined || event.id === id) &&
      (isAbout || isPart) &&
      isIn(event.tenantId, tenantIds) &&
      isIn(event.action, actions) &&
      (actorId === undefined || event.actorId === actorId) &&
      (from === undefined || event.at >= from) &&
      (to === undefined || event.at < to) &&
      (after === undefined || (order === 'oldest' ? event.seq > after : event.seq < after))
    )
  })
  return (order === 'oldest' ? rows : rows.reverse()).slice(0, limit)
}

export function listSeals({ seals }: State, { prefix, after = 0, order, limit }: SealQuery): StoredSeal[] {
  const own = seals.filter((seal) => seal.prefix === prefix && seal.number > after)
  return (order === 'newest' ? own.reverse() : own).slice(0, limit)
}

export function reportUsage(state: State, { tokenIds, from = 0, to = Number.POSITIVE_INFINITY, limit, stepMs }: UsageQuery): UsageRows {
  const asked = new Set(tokenIds)
  const counts = [...state.counts.values()].filter(({ tokenId, bucketAt }) => asked.has(tokenId) && from <= bucketAt && bucketAt < to)
  if (stepMs !== undefined) {
    const summed = counts.slice(0, limit)
    return { counts: bySteps(summed, from, stepMs).sort(byKey), addresses: [], summed: summed.length }
  }
  const addresses = [...state.addresses.values()].filter(({ tokenId }) => asked.has(tokenId))
  return { counts: counts.sort(byKey).slice(0, limit), addresses: addresses.sort((a, b) => b.lastAt - a.lastAt).slice(0, 1000) }
}

function bySteps(counts: readonly UsageCount[], from: number, stepMs: number): UsageCount[] {
  const steps = new Map<string, UsageCount>()
  for (const { tokenId, bucketAt: at, outcome: code, count } of counts) {
    const step = { tokenId, bucketAt: at - ((at - from) % stepMs), endpoint: '', outcome: code === 'allowed' ? code : 'refused', scope: '' }
    const key = JSON.stringify(step)
    steps.set(key, { ...step, count: count + (steps.get(key)?.count ?? 0) })
  }
  return [...steps.values()]
}

export function readFeed({ feed, feedFloor }: State, after: string | undefined, limit: number): FeedPage {
  const end = { cursor: String(feed.length), ids: [], owners: [], bulk: [], more: false }
  if (after === undefined) return { ...end, everything: false }
  // If the cursor is unknown, any token may have changed since.
  if (!/^\d{1,15}$/.test(after) || Number(after) > feed.length || Number(after) < feedFloor) return { ...end, everything: true }
  const next = Math.min(feed.length, Number(after) + limit)
  const entries = feed.slice(Number(after), next)
  return {
    cursor: String(next),
    ids: entries.flatMap(({ id }) => id ?? []),
    owners: entries.flatMap(({ owner }) => owner ?? []),
    bulk: entries.flatMap(({ bulk }) => bulk ?? []),
    everything: false,
    more: next < feed.length,
  }
}

function byKey(a: UsageCount, b: UsageCount): number {
  return a.bucketAt - b.bucketAt || compare(a.endpoint, b.endpoint) || compare(a.outcome, b.outcome) || compare(a.scope, b.scope)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
