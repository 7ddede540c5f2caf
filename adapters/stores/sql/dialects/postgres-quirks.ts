import { createHash } from 'node:crypto'
import { CompiledQuery, DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from 'kysely'
import { isErrorLike } from '../../../../src/errors.js'
import { isTlsFailure } from '../../lib/tls-failure.js'
import type { Builder, Fault, Quirks, Wait } from '../quirks.js'
import { namesPlugin } from '../schema/names-plugin.js'
import { postgresMigrations } from '../schema/postgres-migrations.js'
import type { Tables } from '../schema/schema.js'
import type { Names } from '../schema/table-names.js'
import { TOKEN_COLUMNS, type Wide } from '../schema/token-columns.js'
import { IDLE_MS } from '../silence.js'
import { bumpPostgres } from './postgres-bump.js'
import { diagnosePostgres } from './postgres-diagnose.js'

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const codes: ReadonlyMap<string, Fault> = new Map([
  ['23505', 'duplicate'],
  ['23001', 'referenced'],
  ['23503', 'referenced'],
  ['40001', 'contention'],
  ['40P01', 'contention'],
  ['55P03', 'locked'],
  ['28000', 'authentication'],
  ['28P01', 'authentication'],
  ['42P01', 'tables_missing'],
  ['42703', 'tables_missing'],
  ['3D000', 'database_missing'],
  ['3F000', 'database_missing'],
  ['25006', 'read_only'],
  ['53100', 'full'],
  ['53300', 'connection'],
  ['42501', 'permission'],
  ['25P03', 'connection'],
  ['57P01', 'connection'],
  ['57P02', 'connection'],
  ['57P03', 'connection'],
  ['XX001', 'damaged'],
  ['XX002', 'damaged'],
])

const waitOf = (ms: number): Wait => ({
  begin: `set local lock_timeout = ${ms}`,
  end: 'set local lock_timeout to default',
  ofSession: false,
})

const faultOf = (error: unknown): Fault => {
  if (!isErrorLike(error)) return 'unknown'
  const { code } = error as Error & { readonly code?: unknown }
  // A server that requires TLS also answers 28000 without it.
  if (isTlsFailure(code) || /does not support SSL|pg_hba\.conf entry.*(no encryption|SSL off)/.test(error.message)) return 'encryption'
  if (typeof code === 'string') {
    const known = codes.get(code)
    if (known !== undefined) return known
    if (code.startsWith('08') || /^E[A-Z]{4,}$/.test(code)) return 'connection'
  }
  if (/after calling end on the pool|driver has already been destroyed/.test(error.message)) return 'closed'
  if (/password must be a string|SASL/.test(error.message)) return 'authentication'
  if (/timeout|connection error|Connection terminated|not queryable|Connection ended/i.test(error.message)) return 'connection'
  return 'unknown'
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 40)

/** Returns a name that the server does not truncate at 63 bytes: a longer one is replaced by its digest. */
const shortName = (name: string): string => (Buffer.byteLength(name) <= 63 ? name : `latchkey_${digestOf(name)}`)

/** Returns the name of a prepared statement: unique to its text, and the same in every process. */
export const statementName = (text: string): string => `latchkey_${digestOf(text)}`

/** Returns the notification channel of a store's feed. Notifications are only hints, so two stores that share a channel merely wake each other. */
export const channelOf = ({ schema, tablePrefix }: Names): string => shortName(`${schema ?? ''}.${tablePrefix}feed`)

const escapeLike = (text: string): string => text.replace(/[\\%_]/g, '\\$&')

const BEGIN = 'begin isolation level read committed'

/**
 * Begins a transaction that the server ends if the process hangs or loses its connection, so that its locks do not block others for hours.
 *
 * Only for connections with an error listener, because the server reports this while no statement is pending, and an unhandled error event would end the
 * process.
 */
export const BEGIN_BOUNDED: string = `${BEGIN}; set local idle_in_transaction_session_timeout = ${IDLE_MS}`

const tableOf = ({ schema, tablePrefix }: Names, table: string): string =>
  `${schema === undefined ? '' : `"${schema}".`}"${tablePrefix}${table}"`

/** Postgres. */
export const postgresQuirks: Quirks = {
  dialect: 'postgres',
  updatesInWith: true,
  builder: (names): Builder =>
    new Kysely<Tables>({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (db) => new PostgresIntrospector(db),
        createQueryCompiler: () => new PostgresQueryCompiler(),
      },
      plugins: [namesPlugin(names)],
    }),
  bump: bumpPostgres,
  finder(builder) {
    // One text for a single ID and one for any number of IDs, so that the server plans each once per connection.
    const select = builder.selectFrom('tokens').select([...TOKEN_COLUMNS])
    const one = select.where('id', '=', '').compile()
    const many = select.where('id', '=', sql<string>`any(${['']}::text[])`).compile()
    return (ids) => (ids.length === 1 ? { ...one, parameters: ids } : { ...many, parameters: [ids] })
  },
  nameContains: (folded) => sql`${sql.ref('tokens.name_folded')} like ${`%${escapeLike(folded)}%`}`,
  nameIndexes(names) {
    const text = 'select count(*) as found from pg_class where oid = to_regclass($1)'
    return CompiledQuery.raw(text, [tableOf(names, 'tokens_name')]) as CompiledQuery<{ readonly found: Wide }>
  },
  fromJson: (columns) => {
    const typed = Object.entries(columns).map(([column, type]) => `${column} ${type}`)
    return `select ${Object.keys(columns).join(', ')} from json_to_recordset($1::json) as given(${typed.join(', ')})`
  },
  placeholder: (position) => `$${position}`,
  incoming: (column) => `excluded.${column}`,
  onClash: (keys, assignments) => `on conflict (${keys.join(', ')}) do update set ${assignments}`,
  seconds: 'floor(extract(epoch from clock_timestamp()))::bigint',
  begin: [BEGIN],
  migrationLock: ({ schema, tablePrefix }) => ({
    transactional: true,
    take: CompiledQuery.raw('select pg_advisory_xact_lock(hashtext($1))', [`latchkey ${schema ?? ''} ${tablePrefix}`]),
  }),
  announce: (names) => CompiledQuery.raw('select pg_notify($1, $2)', [channelOf(names), '']),
  faultOf,
  shortWait: waitOf(20),
  longerWait: waitOf(1000),
  isHeld: (error) => faultOf(error) === 'locked',
  table: tableOf,
  migrations: postgresMigrations,
  diagnose: diagnosePostgres,
}
