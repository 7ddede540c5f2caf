import type { Generated } from 'kysely'

/** An instant or a counter as drivers give it: some give 64-bit integers as strings or bigints. */
export type Wide = number | string | bigint

/** One token. Instants are milliseconds since the epoch, lists and objects are JSON text. */
export type TokenRow = {
  id: string
  version: Wide
  prefix: string
  digest: string
  pepper_id: string | null
  name: string
  description: string | null
  tenant_id: string | null
  owner_id: string | null
  scopes: string
  resources: string | null
  allowed_ips: string | null
  metadata: string | null
  created_at: Wide
  created_by: string
  updated_at: Wide
  not_before: Wide | null
  expires_at: Wide | null
  deactivated_at: Wide | null
  deactivated_by: string | null
  revoked_at: Wide | null
  revoked_by: string | null
  revoked_reason: string | null
  rotate_every_seconds: Wide | null
  rotation_due_at: Wide | null
  replaces_id: string | null
  replaced_by_id: string | null
  request_hash: string | null
}

/** What the database derives from a row: it cannot disagree with the instants. */
type TokenState = 'live' | 'inactive' | 'revoked'

/** The columns that `find` reads, in the order of the table. */
export const TOKEN_COLUMNS = [
  'id',
  'version',
  'prefix',
  'digest',
  'pepper_id',
  'name',
  'description',
  'tenant_id',
  'owner_id',
  'scopes',
  'resources',
  'allowed_ips',
  'metadata',
  'created_at',
  'created_by',
  'updated_at',
  'not_before',
  'expires_at',
  'deactivated_at',
  'deactivated_by',
  'revoked_at',
  'revoked_by',
  'revoked_reason',
  'rotate_every_seconds',
  'rotation_due_at',
  'replaces_id',
  'replaced_by_id',
  'request_hash',
] as const

/** One audit event; `seq` is its place in the change feed. */
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
}

/** What a line of the change feed is about. */
export type ChangeKind = 'token' | 'owner' | 'everything'

/** Every table, without its prefix. */
export type Tables = {
  tokens: TokenRow & {
    /** The name with ASCII letters in lower case, for search. */
    name_folded: string
    state: Generated<TokenState>
  }
  events: EventRow
  changes: { seq: Wide; kind: ChangeKind; changed_id: string }
  feed: { id: number; head: Wide; floor: Wide }
  usage_counts: { token_id: string; bucket_at: Wide; endpoint: string; outcome: string; uses: Wide }
  usage_addresses: { token_id: string; ip: string; uses: Wide; last_at: Wide }
  last_uses: { token_id: string; last_used_at: Wide; last_used_ip: string | null }
  usage_sources: { node_id: string; seq: Wide; seen_at: Wide }
  leases: { node_id: string; feed_cursor: string; expires_at: Wide }
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
]
