import type { Quirks } from '../quirks.js'
import { createMigrationsTable, noteMigration } from './migrate.js'
import type { Names } from './table-names.js'
import { SCHEMA_V1 } from './tables.js'

/** A placeholder for the database user of the application. */
const USER = 'latchkey_app'

/** Tables that only migrations write. */
const READ: readonly string[] = ['identity', 'migrations']

/** Returns the permissions that the application's database user needs, as comments, because only the administrator knows that user's name. */
const grantsOf = (quirks: Quirks, names: Names): readonly string[] => {
  if (quirks.dialect === 'sqlite') return []
  const user = quirks.dialect === 'postgres' ? USER : `'${USER}'@'%'`
  const table = (name: string): string => quirks.table(names, name as Parameters<Quirks['table']>[1])
  const schema = names.schema === undefined ? [] : [`grant usage on schema "${names.schema}" to ${user}`]
  const grants = [
    ...schema,
    ...SCHEMA_V1.filter(({ name }) => !READ.includes(name)).map(
      ({ name }) => `grant select, insert, update, delete on ${table(name)} to ${user}`,
    ),
    ...READ.map((name) => `grant select on ${table(name)} to ${user}`),
  ]
  return ['-- Afterward, grant the user of the application these permissions, and no others:', ...grants.map((grant) => `--   ${grant};`)]
}

/** Returns the SQL that `migrate()` runs on an empty database, for teams whose administrators run the SQL themselves. */
export const printMigrations = (quirks: Quirks, names: Names): string => {
  const create = `${createMigrationsTable(quirks, names)};`
  const grants = grantsOf(quirks, names)
  const parts = grants.length === 0 ? [create] : [grants.join('\n'), create]
  for (const migration of quirks.migrations(names)) {
    parts.push(`-- ${migration.version}: ${migration.name}`)
    const { statements, optional } = migration
    for (const statement of [...statements, ...(optional?.statements ?? []), noteMigration(quirks, names, migration)]) {
      parts.push(`${statement};`)
    }
  }
  return `${parts.join('\n\n')}\n`
}
