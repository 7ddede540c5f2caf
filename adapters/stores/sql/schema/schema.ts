import type { Generated } from 'kysely'
import type { TokenRow, Wide } from './token-columns.js'

/** The state that the database derives from a row's instants, so that it cannot disagree with them. */
type TokenState = 'live' | 'inactive' | 'revoked'

/** One audit event; `seq` is its position in the change feed. */
export type EventRow = {
  seq: Wide
  id: string
  at: Wide
  action: string
  prefix: string
  actor_id: string
  token_id: string | null
  tenant_id: string | null
  owner_id: string | null
  created_by: string | null
  ip: string | null
  reason: string | null
  code: string | null
  event_count: Wide | null
  before_fields: string | null
  after_fields: string | null
  details: string | null
  bulk_id: string | null
  salt: string | null
  erased: string | null
}

/** The feed's row: the feed's first and last position, the server run that made the last change, where that run began, and the run before it. */
export type FeedRow = { head: Wide; floor: Wide; run: string; run_from: Wide; run_before: string }

/** The kinds of entries of the change feed. */
export type ChangeKind = 'token' | 'owner' | 'bulk'

/** A line of the change feed: `changed_id` names the token or the owner; `detail` is an owner's tenant, or a filter as JSON. */
export type ChangeRow = { seq: Wide; kind: ChangeKind; changed_id: string; detail: string | null }

/** Every table, without its prefix. */
export type Tables = {
  tokens: TokenRow & {
    /** The name with ASCII letters in lower case, for search. */
    name_folded: string
    state: Generated<TokenState>
  }
  events: EventRow
  changes: ChangeRow
  feed: { id: number } & FeedRow
  usage_counts: { token_id: string; bucket_at: Wide; endpoint: string; outcome: string; scope: string; uses: Wide }
  usage_addresses: { token_id: string; ip: string; uses: Wide; last_at: Wide }
  last_uses: { token_id: string; last_used_at: Wide; last_used_ip: string | null }
  usage_sources: { node_id: string; seq: Wide; seen_at: Wide }
  /** `looked_at`: seconds of the database's clock at the last renewal or check. `missed`: consecutive checks without a renewal. */
  leases: { node_id: string; feed_cursor: string; expires_at: Wide; looked_at: Wide; missed: Wide }
  consumers: { prefix: string; name: string; version: Wide; position: Wide; holder: string | null }
  seals: { prefix: string; number: Wide; body: string }
  /** Events of host transactions that have no position in the feed yet. */
  outbox: Omit<EventRow, 'seq'>
  /** One row with a string that is unique to this database. */
  identity: { id: number; value: string }
  /** One row with the moves of prefixes to or from another store, as JSON. */
  moves: { id: number; detail: string }
  tickets: { prefix: string; digest: string; token_id: string; expires_at: Wide }
}

/** The names of the tables, without their prefix. */
export const TABLES: readonly (keyof Tables)[] = [
  'tokens',
  'events',
  'changes',
  'feed',
  'usage_counts',
  'usage_addresses',
  'last_uses',
  'usage_sources',
  'leases',
  'consumers',
  'seals',
  'outbox',
  'identity',
  'moves',
  'tickets',
]
