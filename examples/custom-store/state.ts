import { createHash } from 'node:crypto'
import type {
  BulkResult,
  Change,
  ConsumerState,
  ConsumerVersion,
  LastUse,
  ListedEvent,
  OwnerChange,
  RevocationStamp,
  StoredEvent,
  StoredSeal,
  StoredToken,
  TokenCap,
  TokenFilter,
  UsageAddress,
  UsageBatch,
  UsageCount,
  UsageTrim,
} from 'latchkey'

/** A line of the file. */
export type Line =
  | { readonly do: 'change'; readonly change: Change }
  | { readonly do: 'revoke'; readonly filter: TokenFilter; readonly stamp: RevocationStamp; readonly event: StoredEvent }
  | { readonly do: 'usage'; readonly batch: UsageBatch }
  | { readonly do: 'consumer'; readonly state: ConsumerState }
  | { readonly do: 'consumer gone'; readonly consumer: ConsumerVersion }
  | { readonly do: 'seal'; readonly seal: StoredSeal }
  | { readonly do: 'forget'; readonly events: readonly string[] }
  | { readonly do: 'trim'; readonly trim: UsageTrim }

type FeedEntry = { readonly id?: string; readonly owner?: OwnerChange; readonly bulk?: TokenFilter }

/** The state that the lines produce. */
export type State = {
  readonly tokens: Map<string, StoredToken>
  readonly events: ListedEvent[]
  lastSeq: number
  readonly eventIds: Set<string>
  /** A cursor of the feed is an index into this list. */
  readonly feed: FeedEntry[]
  /** Entries before this index were cut off. */
  feedFloor: number
  readonly counts: Map<string, UsageCount>
  readonly addresses: Map<string, UsageAddress>
  readonly lastUses: Map<string, LastUse>
  /** The highest `seq` of each node whose usage was counted. */
  readonly batches: Map<string, number>
  readonly consumers: Map<string, ConsumerState>
  readonly seals: StoredSeal[]
}

export function emptyState(): State {
  return {
    tokens: new Map(),
    events: [],
    lastSeq: 0,
    eventIds: new Set(),
    feed: [],
    feedFloor: 0,
    counts: new Map(),
    addresses: new Map(),
    lastUses: new Map(),
    batches: new Map(),
    consumers: new Map(),
    seals: [],
  }
}

/** The first ID that conflicts with a change. In that case, no part of the change is applied. */
export function conflictOf(state: State, { inserts = [], updates = [], erasures = [], events }: Change): string | undefined {
  const taken = inserts.find(({ id }) => state.tokens.has(id))
  const stale = updates.find(({ record, expectedVersion }) => state.tokens.get(record.id)?.version !== expectedVersion)
  const told = events.find(({ id }) => state.eventIds.has(id))
  const erased = erasures.find(({ before }) => !state.events.some((event) => isAs(event, before)))
  return taken?.id ?? stale?.record.id ?? told?.id ?? erased?.before.id
}

function isAs(stored: StoredEvent, { id, prefix, salt, erased }: StoredEvent): boolean {
  const isSame = stored.salt === salt && JSON.stringify(stored.erased) === JSON.stringify(erased)
  return stored.id === id && stored.prefix === prefix && isSame
}

/** The position of the first cap that a change would exceed; -1 if there is none. */
export function exceededCap(state: State, { caps = [], inserts = [], updates = [], removals = [] }: Change): number {
  if (caps.length === 0) return -1
  const after = new Map(state.tokens)
  for (const token of [...inserts, ...updates.map(({ record }) => record)]) after.set(token.id, token)
  for (const id of removals) after.delete(id)
  return caps.findIndex((cap) => [...after.values()].filter((token) => countsFor(token, cap)).length > cap.max)
}

function countsFor(token: StoredToken, { prefix, tenantId, ownerId, now }: TokenCap): boolean {
  if (token.prefix !== prefix || token.tenantId !== tenantId || (ownerId !== undefined && token.ownerId !== ownerId)) return false
  return token.revokedAt === undefined && (token.expiresAt === undefined || now < token.expiresAt)
}

/** Applies a line, and returns the result of a bulk revocation. */
export function apply(state: State, line: Line): BulkResult {
  if (line.do === 'revoke') return applyRevocation(state, line)
  if (line.do === 'change') applyChange(state, line.change)
  else if (line.do === 'consumer') state.consumers.set(keyOf(line.state), line.state)
  else if (line.do === 'consumer gone') state.consumers.delete(keyOf(line.consumer))
  else if (line.do === 'seal') state.seals.push(line.seal)
  else if (line.do === 'forget') forget(state, new Set(line.events))
  else if (line.do === 'trim') trim(state, line.trim)
  else applyUsage(state, line.batch)
  return { count: 0, events: [] }
}

/** The key of a consumer. */
export function keyOf({ prefix, name }: Pick<ConsumerState, 'prefix' | 'name'>): string {
  return JSON.stringify([prefix, name])
}

function tell(state: State, event: StoredEvent): void {
  state.eventIds.add(event.id)
  state.lastSeq += 1
  state.events.push({ ...event, seq: state.lastSeq })
}

function forget(state: State, ids: ReadonlySet<string>): void {
  const kept = state.events.splice(0).filter(({ id }) => !ids.has(id))
  state.events.push(...kept)
  for (const id of ids) state.eventIds.delete(id)
}

function trim(state: State, { tokenIds, countsBefore = 0, addressesBefore = 0, lastAddresses }: UsageTrim): void {
  const asked = new Set(tokenIds)
  for (const [id, { tokenId, at }] of state.lastUses) if (lastAddresses && asked.has(id)) state.lastUses.set(id, { tokenId, at })
  for (const [key, { tokenId, bucketAt }] of state.counts) if (asked.has(tokenId) && bucketAt < countsBefore) state.counts.delete(key)
  for (const [key, { tokenId, lastAt }] of state.addresses) if (asked.has(tokenId) && lastAt < addressesBefore) state.addresses.delete(key)
}

function applyChange(state: State, change: Change): void {
  const { inserts = [], updates = [], removals = [], ownersChanged = [], erasures = [], cutsFeed, events } = change
  const written = [...inserts, ...updates.map(({ record }) => record)]
  for (const record of written) state.tokens.set(record.id, record)
  const gone = removals.filter((id) => state.tokens.delete(id))
  for (const id of gone) {
    state.lastUses.delete(id)
    for (const usage of [state.counts, state.addresses]) {
      for (const [key, { tokenId }] of usage) if (tokenId === id) usage.delete(key)
    }
  }
  // Removed from the state, not from the file. To remove it there, rewrite the log without lines that are no longer needed.
  for (const { after } of erasures) {
    const index = state.events.findIndex(({ id }) => id === after.id)
    const seq = state.events[index]?.seq
    if (seq !== undefined) state.events[index] = { ...after, seq }
  }
  for (const event of events) tell(state, event)
  if (cutsFeed !== undefined) cutFeed(state, cutsFeed)
  state.feed.push(...[...written.map(({ id }) => id), ...gone].map((id) => ({ id })), ...ownersChanged.map((owner) => ({ owner })))
}

/** Removes the entries up to a cursor, or all of them if the cursor is unknown. The indexes of the others stay the same. */
function cutFeed(state: State, upTo: string): void {
  const end = /^\d{1,15}$/.test(upTo) ? Math.min(Number(upTo), state.feed.length) : state.feed.length
  state.feed.fill({}, 0, end)
  state.feedFloor = Math.max(state.feedFloor, end)
}

function applyRevocation(state: State, { filter, stamp, event }: Extract<Line, { do: 'revoke' }>): BulkResult {
  const matching = [...state.tokens.values()].filter((token) => token.revokedAt === undefined && matches(token, filter))
  const counts = new Map<string | undefined, number>()
  for (const token of matching) {
    state.tokens.set(token.id, { ...token, ...stamp, version: token.version + 1, updatedAt: stamp.revokedAt })
    counts.set(token.tenantId, (counts.get(token.tenantId) ?? 0) + 1)
  }
  // One event for each tenant, so that readers of one tenant's events learn nothing about other tenants.
  const events = [...counts].map(([tenantId, count], index) => ({
    ...event,
    id: index === 0 ? event.id : `${event.id}_${index + 1}`,
    ...(tenantId !== undefined && { tenantId }),
    ...(event.salt !== undefined && { salt: saltOf(event.salt, index) }),
    count,
  }))
  for (const each of events) tell(state, each)
  // If no token matched, the feed gets no entry, because an entry would make every node reload unchanged records.
  if (matching.length > 0) state.feed.push({ bulk: filter })
  return { count: matching.length, events }
}

/** Derived one way, so that the salt of one event does not reveal others, and deterministic, so that reading the file again gives the same salt. */
function saltOf(salt: string, index: number): string {
  return createHash('sha256').update(`${salt} ${index}`).digest('hex').slice(0, 32)
}

function applyUsage(state: State, { nodeId, seq, counts, addresses, lastUses }: UsageBatch): void {
  if (seq <= (state.batches.get(nodeId) ?? 0)) return
  state.batches.set(nodeId, seq)
  // Ignores the usage of tokens that were removed in the meantime.
  const isKnown = ({ tokenId }: { readonly tokenId: string }): boolean => state.tokens.has(tokenId)
  // Ignores the addresses of a token whose owner was erased.
  const isErased = ({ tokenId }: { readonly tokenId: string }): boolean => {
    const token = state.tokens.get(tokenId)
    return token?.name === 'erased' && token.ownerId === undefined && token.revokedAt !== undefined
  }
  for (const added of counts.filter(isKnown)) {
    const key = JSON.stringify([added.tokenId, added.bucketAt, added.endpoint, added.outcome, added.scope])
    state.counts.set(key, { ...added, count: added.count + (state.counts.get(key)?.count ?? 0) })
  }
  for (const added of addresses.filter((address) => isKnown(address) && !isErased(address))) {
    const key = JSON.stringify([added.tokenId, added.ip])
    const known = state.addresses.get(key) ?? { count: 0, lastAt: 0 }
    state.addresses.set(key, { ...added, count: added.count + known.count, lastAt: Math.max(added.lastAt, known.lastAt) })
  }
  for (const tokenId of new Set(addresses.map(({ tokenId }) => tokenId))) forgetOldAddresses(state, tokenId)
  for (const use of lastUses.filter(isKnown)) {
    const { tokenId, at } = use
    if (at > (state.lastUses.get(tokenId)?.at ?? -1)) state.lastUses.set(tokenId, isErased(use) ? { tokenId, at } : use)
  }
}

const MOST_ADDRESSES = 1000

/** Keeps only the most recent addresses of a token, because a caller can use very many. */
function forgetOldAddresses({ addresses }: State, tokenId: string): void {
  const own = [...addresses].filter(([, address]) => address.tokenId === tokenId)
  if (own.length <= 2 * MOST_ADDRESSES) return
  const oldest = own.sort(([, a], [, b]) => b.lastAt - a.lastAt).slice(MOST_ADDRESSES)
  for (const [key] of oldest) addresses.delete(key)
}

/** Without a list, every value matches. With an empty list, none does. */
export function isIn<T>(value: T | undefined, list: readonly T[] | undefined): boolean {
  return list === undefined || (value !== undefined && list.includes(value))
}

/** Whether the token matches every given field. */
export function matches(token: StoredToken, { prefix, ids, tenantIds, ownerId, createdBy, rootId }: TokenFilter): boolean {
  return (
    token.prefix === prefix &&
    isIn(token.id, ids) &&
    isIn(token.tenantId, tenantIds) &&
    (ownerId === undefined || token.ownerId === ownerId) &&
    (createdBy === undefined || token.createdBy === createdBy) &&
    (rootId === undefined || token.rootId === rootId)
  )
}
