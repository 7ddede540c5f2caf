import type { Migration } from './quirks.js'
import type { Names } from './table-names.js'

/**
 * The schema of a SQLite file.
 *
 * `row_id` is written out, because the search table refers to it and VACUUM may renumber a hidden one.
 * Text compares byte for byte (SQLite's BINARY collation).
 */
export const sqliteMigrations = ({ tablePrefix: p }: Names): readonly Migration[] => [
  {
    version: 1,
    name: 'tokens, audit, feed, usage, leases',
    statements: [
      `create table if not exists "${p}tokens" (
  row_id integer primary key,
  id text not null unique,
  version integer not null,
  prefix text not null,
  digest text not null,
  pepper_id text,
  name text not null,
  name_folded text not null,
  description text,
  tenant_id text,
  owner_id text,
  scopes text not null,
  resources text,
  allowed_ips text,
  metadata text,
  created_at integer not null,
  created_by text not null,
  updated_at integer not null,
  not_before integer,
  expires_at integer,
  deactivated_at integer,
  deactivated_by text,
  revoked_at integer,
  revoked_by text,
  revoked_reason text,
  rotate_every_seconds integer,
  rotation_due_at integer,
  replaces_id text,
  replaced_by_id text,
  request_hash text,
  state text not null generated always as (
    case when revoked_at is not null then 'revoked' when deactivated_at is not null then 'inactive' else 'live' end
  ) virtual
)`,
      `create index if not exists "${p}tokens_newest" on "${p}tokens" (prefix, created_at, id)`,
      `create index if not exists "${p}tokens_state" on "${p}tokens" (prefix, state, created_at, id)`,
      `create index if not exists "${p}tokens_tenant" on "${p}tokens" (prefix, tenant_id, created_at, id) where tenant_id is not null`,
      `create index if not exists "${p}tokens_owner" on "${p}tokens" (prefix, owner_id, created_at, id) where owner_id is not null`,
      `create index if not exists "${p}tokens_creator" on "${p}tokens" (prefix, created_by, created_at, id)`,
      `create index if not exists "${p}tokens_rotation" on "${p}tokens" (prefix, rotation_due_at) where rotation_due_at is not null`,
      `create index if not exists "${p}tokens_expiry" on "${p}tokens" (prefix, expires_at) where expires_at is not null`,
      `create table if not exists "${p}events" (
  seq integer primary key,
  id text not null unique,
  at integer not null,
  action text not null,
  prefix text not null,
  actor_id text not null,
  token_id text,
  tenant_id text,
  owner_id text,
  created_by text,
  ip text,
  reason text,
  code text,
  event_count integer,
  before_fields text,
  after_fields text,
  details text
)`,
      `create index if not exists "${p}events_token" on "${p}events" (prefix, token_id, seq) where token_id is not null`,
      `create index if not exists "${p}events_tenant" on "${p}events" (prefix, tenant_id, seq) where tenant_id is not null`,
      `create index if not exists "${p}events_action" on "${p}events" (prefix, action, seq)`,
      `create index if not exists "${p}events_creator" on "${p}events" (prefix, created_by, seq) where created_by is not null`,
      `create table if not exists "${p}changes" (
  seq integer primary key,
  kind text not null,
  changed_id text not null
)`,
      `create table if not exists "${p}feed" (
  id integer primary key check (id = 1),
  head integer not null,
  floor integer not null
)`,
      `insert into "${p}feed" (id, head, floor) values (1, 0, 0) on conflict (id) do nothing`,
      `create table if not exists "${p}usage_counts" (
  token_id text not null,
  bucket_at integer not null,
  endpoint text not null,
  outcome text not null,
  uses integer not null,
  primary key (token_id, bucket_at, endpoint, outcome)
) without rowid`,
      `create table if not exists "${p}usage_addresses" (
  token_id text not null,
  ip text not null,
  uses integer not null,
  last_at integer not null,
  primary key (token_id, ip)
) without rowid`,
      `create table if not exists "${p}last_uses" (
  token_id text not null primary key,
  last_used_at integer not null,
  last_used_ip text
) without rowid`,
      `create table if not exists "${p}usage_sources" (
  node_id text not null primary key,
  seq integer not null,
  seen_at integer not null
) without rowid`,
      `create table if not exists "${p}leases" (
  node_id text not null primary key,
  feed_cursor text not null,
  expires_at integer not null
) without rowid`,
    ],
  },
]
