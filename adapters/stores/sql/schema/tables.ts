import { type ColumnKind, FIELD_COLUMNS, type FieldColumn } from './token-columns.js'

/** One column; a question mark after the kind makes it nullable. */
export type Column = readonly [name: string, kind: ColumnKind | `${ColumnKind}?`]

/** One index; `present` names the column that must not be null, for servers that can leave the others out of the index. */
type Index = {
  readonly name: string
  readonly columns: readonly string[]
  readonly present?: string
}

/** One table, independent of the dialect. */
export type Table = {
  readonly name: string
  readonly columns: readonly Column[]
  readonly key: readonly string[]
  readonly unique?: readonly string[]
  readonly indexes: readonly Index[]
  /** Has the derived column `state`. */
  readonly derivesState?: true
}

/** Returns the column of a token's field. */
export const columnOf = ({ column, type, required }: FieldColumn): Column => [column, required ? type : `${type}?`]

/** The column `state`, derived so that it cannot disagree with the instants. */
export const STATE_EXPRESSION =
  "case when revoked_at is not null then 'revoked' when deactivated_at is not null then 'inactive' else 'live' end"

const fieldsOfV1: readonly Column[] = FIELD_COLUMNS.filter(({ since }) => since === 1).map(columnOf)

const eventColumns: readonly Column[] = [
  ['id', 'id'],
  ['at', 'int'],
  ['action', 'word'],
  ['prefix', 'word'],
  ['actor_id', 'text'],
  ['token_id', 'id?'],
  ['tenant_id', 'key?'],
  ['owner_id', 'key?'],
  ['created_by', 'key?'],
  ['ip', 'text?'],
  ['reason', 'text?'],
  ['code', 'word?'],
  ['event_count', 'int?'],
  ['before_fields', 'text?'],
  ['after_fields', 'text?'],
  ['details', 'text?'],
  ['bulk_id', 'id?'],
  ['salt', 'word?'],
  ['erased', 'text?'],
]

/** The tables of version 1. Later versions change them in separate migrations. */
export const SCHEMA_V1: readonly Table[] = [
  {
    name: 'tokens',
    columns: [...fieldsOfV1, ['name_folded', 'text']],
    key: ['id'],
    derivesState: true,
    indexes: [
      { name: 'newest', columns: ['prefix', 'created_at', 'id'] },
      // The last two columns let a server skip tokens with a different status without reading their rows.
      { name: 'state', columns: ['prefix', 'state', 'created_at', 'id', 'expires_at', 'not_before'] },
      { name: 'tenant', columns: ['prefix', 'tenant_id', 'created_at', 'id'], present: 'tenant_id' },
      {
        name: 'tenant_state',
        columns: ['prefix', 'tenant_id', 'state', 'created_at', 'id', 'expires_at', 'not_before'],
        present: 'tenant_id',
      },
      { name: 'owner', columns: ['prefix', 'owner_id', 'created_at', 'id'], present: 'owner_id' },
      // For counting live tokens: ended ones are skipped without reading their rows.
      { name: 'tenant_live', columns: ['prefix', 'tenant_id', 'state', 'expires_at'], present: 'tenant_id' },
      // The owners of a tenant are adjacent, so that each can be found from the previous one.
      { name: 'owner_live', columns: ['prefix', 'tenant_id', 'owner_id', 'state', 'expires_at'], present: 'owner_id' },
      { name: 'creator', columns: ['prefix', 'created_by', 'created_at', 'id'] },
      { name: 'lineage', columns: ['prefix', 'root_id'], present: 'root_id' },
      { name: 'rotation', columns: ['prefix', 'rotation_due_at'], present: 'rotation_due_at' },
      { name: 'beginning', columns: ['prefix', 'not_before'], present: 'not_before' },
      { name: 'expiry', columns: ['prefix', 'expires_at', 'state', 'created_at', 'id', 'not_before'], present: 'expires_at' },
    ],
  },
  {
    name: 'events',
    columns: [['seq', 'int'], ...eventColumns],
    key: ['seq'],
    unique: ['id'],
    indexes: [
      { name: 'token', columns: ['prefix', 'token_id', 'seq'], present: 'token_id' },
      { name: 'tenant', columns: ['prefix', 'tenant_id', 'seq'], present: 'tenant_id' },
      { name: 'action', columns: ['prefix', 'action', 'seq'] },
      { name: 'creator', columns: ['prefix', 'created_by', 'seq'], present: 'created_by' },
      { name: 'bulk', columns: ['prefix', 'bulk_id', 'seq'], present: 'bulk_id' },
      { name: 'position', columns: ['prefix', 'seq'] },
    ],
  },
  {
    name: 'changes',
    columns: [
      ['seq', 'int'],
      ['kind', 'word'],
      ['changed_id', 'key'],
      ['detail', 'text?'],
    ],
    key: ['seq'],
    indexes: [],
  },
  {
    name: 'feed',
    columns: [
      ['id', 'int'],
      ['head', 'int'],
      ['floor', 'int'],
      // The server run that made the last change, where it began, and the run before it.
      ['run', 'word'],
      ['run_from', 'int'],
      ['run_before', 'word'],
    ],
    key: ['id'],
    indexes: [],
  },
  {
    name: 'usage_counts',
    columns: [
      ['token_id', 'id'],
      ['bucket_at', 'int'],
      ['endpoint', 'key'],
      ['outcome', 'word'],
      ['scope', 'key'],
      ['uses', 'int'],
    ],
    key: ['token_id', 'bucket_at', 'endpoint', 'outcome', 'scope'],
    // For finding old counters of any token.
    indexes: [{ name: 'bucket', columns: ['bucket_at'] }],
  },
  {
    name: 'usage_addresses',
    columns: [
      ['token_id', 'id'],
      ['ip', 'word'],
      ['uses', 'int'],
      ['last_at', 'int'],
    ],
    key: ['token_id', 'ip'],
    indexes: [],
  },
  {
    name: 'last_uses',
    columns: [
      ['token_id', 'id'],
      ['last_used_at', 'int'],
      ['last_used_ip', 'word?'],
    ],
    key: ['token_id'],
    indexes: [],
  },
  {
    name: 'usage_sources',
    columns: [
      ['node_id', 'key'],
      ['seq', 'int'],
      ['seen_at', 'int'],
    ],
    key: ['node_id'],
    indexes: [],
  },
  {
    name: 'leases',
    columns: [
      ['node_id', 'key'],
      ['feed_cursor', 'word'],
      ['expires_at', 'int'],
      ['looked_at', 'int'],
      ['missed', 'int'],
    ],
    key: ['node_id'],
    indexes: [],
  },
  {
    name: 'consumers',
    columns: [
      ['prefix', 'word'],
      ['name', 'word'],
      ['version', 'int'],
      ['position', 'int'],
      ['holder', 'word?'],
    ],
    key: ['prefix', 'name'],
    indexes: [],
  },
  {
    name: 'seals',
    columns: [
      ['prefix', 'word'],
      ['number', 'int'],
      ['body', 'text'],
    ],
    key: ['prefix', 'number'],
    indexes: [],
  },
  {
    // Events of host transactions, which get their position in the order after the commit.
    name: 'outbox',
    columns: eventColumns,
    key: ['id'],
    indexes: [],
  },
  {
    name: 'identity',
    columns: [
      ['id', 'int'],
      ['value', 'word'],
    ],
    key: ['id'],
    indexes: [],
  },
  {
    // One row with the moves of all prefixes, as JSON. Every addition to a host transaction takes a shared lock on it.
    name: 'moves',
    columns: [
      ['id', 'int'],
      ['detail', 'text'],
    ],
    key: ['id'],
    indexes: [],
  },
  {
    name: 'tickets',
    columns: [
      ['prefix', 'word'],
      ['digest', 'word'],
      ['token_id', 'id'],
      ['expires_at', 'int'],
    ],
    key: ['prefix', 'digest'],
    indexes: [
      { name: 'token', columns: ['token_id', 'expires_at'] },
      { name: 'expiry', columns: ['prefix', 'expires_at'] },
    ],
  },
]
