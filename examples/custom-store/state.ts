import type {
  Change,
  LastUse,
  ListedEvent,
  RevocationStamp,
  StoredEvent,
  StoredToken,
  TokenFilter,
  UsageAddress,
  UsageBatch,
  UsageCount,
} from 'latchkey'

/** A line of the file. */
export type Line =
  | { readonly do: 'change'; readonly change: Change }
  | { readonly do: 'revoke'; readonly filter: TokenFilter; readonly stamp: RevocationStamp; readonly event: StoredEvent }
  | { readonly do: 'usage'; readonly batch: UsageBatch }

type FeedEntry = { readonly id?: string; readonly ownerId?: string; readonly everything?: true }

/** What the lines add up to. */
export type State = {
  readonly tokens: Map<string, StoredToken>
  readonly events: ListedEvent[]
  readonly eventIds: Set<string>
  /** A cursor of the feed is an index into this list. */
  readonly feed: FeedEntry[]
  readonly counts: Map<string, UsageCount>
  readonly addresses: Map<string, UsageAddress>
  readonly lastUses: Map<string, LastUse>
  /** The highest `seq` of each node whose usage was counted. */
  readonly batches: Map<string, number>
}

export function emptyState(): State {
  return {
    tokens: new Map(),
    events: [],
    eventIds: new Set(),
    feed: [],
    counts: new Map(),
    addresses: new Map(),
    lastUses: new Map(),
    batches: new Map(),
  }
}

/** The first id that stands in the way of a change: nothing of it may happen then. */
export function conflictOf(state: State, { inserts = [], updates = [], events }: Change): string | undefined {
  const taken = inserts.find(({ id }) => state.tokens.has(id))
  const stale = updates.find(({ record, expectedVersion }) => state.tokens.get(record.id)?.version !== expectedVersion)
  const told = events.find(({ id }) => state.eventIds.has(id))
  return taken?.id ?? stale?.record.id ?? told?.id
}

/** Lets a line count, and answers how many tokens it touched. */
export function apply(state: State, line: Line): number {
  switch (line.do) {
    case 'change':
      return applyChange(state, line.change)
    case 'revoke':
      return applyRevocation(state, line)
    case 'usage':
      return applyUsage(state, line.batch)
  }
}

function tell(state: State, event: StoredEvent): void {
  state.eventIds.add(event.id)
  state.events.push({ ...event, seq: state.events.length + 1 })
}

function applyChange(state: State, { inserts = [], updates = [], removals = [], ownersChanged = [], events }: Change): number {
  const written = [...inserts, ...updates.map(({ record }) => record)]
  for (const record of written) state.tokens.set(record.id, record)
  const gone = removals.filter((id) => state.tokens.delete(id))
  for (const id of gone) {
    state.lastUses.delete(id)
    for (const usage of [state.counts, state.addresses]) {
      for (const [key, { tokenId }] of usage) if (tokenId === id) usage.delete(key)
    }
  }
  for (const event of events) tell(state, event)
  state.feed.push(...[...written.map(({ id }) => id), ...gone].map((id) => ({ id })), ...ownersChanged.map((ownerId) => ({ ownerId })))
  return written.length
}

function applyRevocation(state: State, { filter, stamp, event }: Extract<Line, { do: 'revoke' }>): number {
  const matching = [...state.tokens.values()].filter((token) => token.revokedAt === undefined && matches(token, filter))
  for (const token of matching) {
    state.tokens.set(token.id, { ...token, ...stamp, version: token.version + 1, updatedAt: stamp.revokedAt })
  }
  tell(state, { ...event, count: matching.length })
  state.feed.push({ everything: true })
  return matching.length
}

function applyUsage(state: State, { nodeId, seq, counts, addresses, lastUses }: UsageBatch): number {
  if (seq <= (state.batches.get(nodeId) ?? 0)) return 0
  state.batches.set(nodeId, seq)
  for (const added of counts) {
    const key = JSON.stringify([added.tokenId, added.bucketAt, added.endpoint, added.outcome])
    state.counts.set(key, { ...added, count: added.count + (state.counts.get(key)?.count ?? 0) })
  }
  for (const added of addresses) {
    const key = JSON.stringify([added.tokenId, added.ip])
    const known = state.addresses.get(key) ?? { count: 0, lastAt: 0 }
    state.addresses.set(key, { ...added, count: added.count + known.count, lastAt: Math.max(added.lastAt, known.lastAt) })
  }
  for (const use of lastUses) {
    if (use.at > (state.lastUses.get(use.tokenId)?.at ?? -1)) state.lastUses.set(use.tokenId, use)
  }
  return 1
}

/** Absent: no condition. An empty list: a condition that nothing meets. */
export function isIn<T>(value: T | undefined, list: readonly T[] | undefined): boolean {
  return list === undefined || (value !== undefined && list.includes(value))
}

/** Does every given field match? */
export function matches(token: StoredToken, { prefix, ids, tenantIds, ownerId, createdBy }: TokenFilter): boolean {
  return (
    token.prefix === prefix &&
    isIn(token.id, ids) &&
    isIn(token.tenantId, tenantIds) &&
    (ownerId === undefined || token.ownerId === ownerId) &&
    (createdBy === undefined || token.createdBy === createdBy)
  )
}
