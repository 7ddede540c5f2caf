import { CompiledQuery, DummyDriver, Kysely, MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler, sql } from 'kysely'
import { isErrorLike } from '../../../../src/errors.js'
import { isTlsFailure } from '../../lib/tls-failure.js'
import { ask } from '../engine.js'
import type { Builder, Fault, Quirks, Wait } from '../quirks.js'
import { mysqlMigrations } from '../schema/mysql-migrations.js'
import { namesPlugin } from '../schema/names-plugin.js'
import type { Tables } from '../schema/schema.js'
import { TOKEN_COLUMNS, type TokenRow } from '../schema/token-columns.js'
import { wide } from '../schema/wide.js'
import { diagnoseMysql } from './mysql-diagnose.js'

// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
const numbers: ReadonlyMap<number, Fault> = new Map([
  [1062, 'duplicate'],
  [1217, 'referenced'],
  [1451, 'referenced'],
  // The row has changed since it was read; deadlock.
  [1020, 'contention'],
  [1213, 'contention'],
  [1205, 'waited'],
  // MySQL's response to NOWAIT. MariaDB reports 1205.
  [3572, 'locked'],
  // ER_SECURE_TRANSPORT_REQUIRED
  [3159, 'encryption'],
  [1045, 'authentication'],
  [1698, 'authentication'],
  [1046, 'database_missing'],
  [1049, 'database_missing'],
  [1054, 'tables_missing'],
  [1146, 'tables_missing'],
  [1290, 'read_only'],
  [1792, 'read_only'],
  [1836, 'read_only'],
  [1021, 'full'],
  [1114, 'full'],
  [1044, 'permission'],
  [1142, 'permission'],
  [1143, 'permission'],
  [1227, 'permission'],
  [1040, 'connection'],
  [1053, 'connection'],
  [1203, 'connection'],
  [1927, 'connection'],
  [1034, 'damaged'],
  [1194, 'damaged'],
  [1712, 'damaged'],
])

const faultOf = (error: unknown): Fault => {
  if (!isErrorLike(error)) return 'unknown'
  const { code, errno, message } = error as Error & { readonly code?: unknown; readonly errno?: unknown }
  if (typeof errno === 'number' && errno > 0) {
    const known = numbers.get(errno)
    if (known !== undefined) return known
  }
  if (isTlsFailure(code)) return 'encryption'
  if (typeof code === 'string' && /^(PROTOCOL_|E[A-Z]{4,}$|HANDSHAKE_)/.test(code)) return 'connection'
  if (message.includes('Pool is closed')) return 'closed'
  if (/closed state|Connection lost/.test(message)) return 'connection'
  return 'unknown'
}

/** A setting of the host. The variable already holds it if an earlier `end` failed. */
const HOST_WAIT = 'cast(coalesce(@latchkey_wait, @@session.innodb_lock_wait_timeout) as unsigned)'

const waitOf = (seconds: string): Wait => ({
  begin: `set @latchkey_wait = ${HOST_WAIT}, session innodb_lock_wait_timeout = ${seconds}`,
  end: 'set session innodb_lock_wait_timeout = @latchkey_wait, @latchkey_wait = null',
  ofSession: true,
})

const padded = (ids: readonly string[]): readonly string[] => {
  let size = 1
  while (size < ids.length) size *= 2
  const last = ids[ids.length - 1] ?? ''
  return size === ids.length ? ids : [...ids, ...new Array<string>(size - ids.length).fill(last)]
}

/** MySQL 8 and MariaDB. */
export const mysqlQuirks: Quirks = {
  dialect: 'mysql',
  stepsByGroup: true,
  builder: (names): Builder =>
    new Kysely<Tables>({
      dialect: {
        createAdapter: () => new MysqlAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (db) => new MysqlIntrospector(db),
        createQueryCompiler: () => new MysqlQueryCompiler(),
      },
      plugins: [namesPlugin(names)],
    }),
  *bump(builder, by) {
    yield* ask(
      builder
        .updateTable('feed')
        .set((eb) => ({ head: eb('head', '+', by) }))
        .where('id', '=', 1),
    )
    const { rows } = yield* ask(builder.selectFrom('feed').select(['head', 'floor']).where('id', '=', 1))
    return { head: wide(rows[0]?.head ?? Number.NaN), floor: wide(rows[0]?.floor ?? 0) }
  },
  finder(builder) {
    // MySQL has no array parameters. Lists are padded to a power of two with the last ID, so that few different statements are prepared.
    const compiled = new Map<number, CompiledQuery<TokenRow>>()
    return (ids) => {
      const parameters = padded(ids)
      let query = compiled.get(parameters.length)
      if (query === undefined) {
        query = builder
          .selectFrom('tokens')
          .select([...TOKEN_COLUMNS])
          .where('id', 'in', [...parameters])
          .compile()
        compiled.set(parameters.length, query)
      }
      return { ...query, parameters }
    }
  },
  nameContains: (folded) => sql`locate(${folded}, ${sql.ref('tokens.name_folded')}) > 0`,
  placeholder: () => '?',
  incoming: (column) => `values(${column})`,
  onClash: (_keys, assignments) => `on duplicate key update ${assignments}`,
  seconds: 'unix_timestamp()',
  // Avoids the gap locks of REPEATABLE READ, which would often make concurrent inserts of counters deadlock.
  begin: ['set transaction isolation level read committed', 'begin'],
  migrationLock: ({ tablePrefix }) => ({
    transactional: false,
    take: CompiledQuery.raw("select get_lock(concat(left(database(), 20), '.', ?), 30)", [`${tablePrefix}up`]),
    release: CompiledQuery.raw("select release_lock(concat(left(database(), 20), '.', ?))", [`${tablePrefix}up`]),
  }),
  faultOf,
  // In a small table, MySQL would otherwise read all rows, or all of another index, and wait for the locks of unrelated rows.
  byKey: (query) => ({ ...query, sql: query.sql.replace(/^(update|select .+? from) (`\w+`)/, '$1 $2 force index (primary)') }),
  // MySQL waits for at least a second. MariaDB runs the comment, and then does not wait at all.
  shortWait: waitOf('1 /*M! - 1 */'),
  longerWait: waitOf('1'),
  isHeld: (error) => [1205, 3572].includes(Number(Reflect.get(Object(error), 'errno'))),
  table: ({ tablePrefix }, table) => `\`${tablePrefix}${table}\``,
  migrations: mysqlMigrations,
  diagnose: diagnoseMysql,
}
