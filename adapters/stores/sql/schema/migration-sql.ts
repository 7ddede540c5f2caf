import { InvalidInputError } from '../../../../src/errors.js'
import { objectOf, readOption } from '../../../../src/policy/option-reader.js'
import { namesOf, schemaName, tablePrefix } from './table-names.js'

/** The servers for which SQL can be printed. For MariaDB, use `mysql`. */
export type SqlDialect = 'sqlite' | 'postgres' | 'mysql'

/** Where to create the tables. */
export type MigrationSqlOptions = {
  /** Postgres only; it must exist. */
  readonly schema?: string | undefined
  /** @default 'latchkey_' */
  readonly tablePrefix?: string | undefined
}

const reader = objectOf({ schema: schemaName.optional(), tablePrefix: tablePrefix.optional() })

/**
 * Prints the SQL that `migrate()` would run on an empty database, for teams whose database administrators run migrations themselves.
 *
 * The SQL also records itself in the migrations table, so that `migrate()` finds nothing left to do and needs no right to change the schema.
 *
 * @throws `invalid_input` for a name that cannot be used in SQL
 * @example
 * ```ts
 * process.stdout.write(await migrationSql('postgres', { schema: 'auth' }))
 * ```
 */
export const migrationSql = async (dialect: SqlDialect, options: MigrationSqlOptions = {}): Promise<string> => {
  const names = namesOf(readOption(reader, options, 'options'))
  const { printMigrations } = await import('./print.js')
  if (dialect === 'sqlite') return printMigrations((await import('../dialects/sqlite-quirks.js')).sqliteQuirks, names)
  if (dialect === 'postgres') return printMigrations((await import('../dialects/postgres-quirks.js')).postgresQuirks, names)
  if (dialect === 'mysql') return printMigrations((await import('../dialects/mysql-quirks.js')).mysqlQuirks, names)
  throw new InvalidInputError('dialect', 'must be sqlite, postgres or mysql')
}
