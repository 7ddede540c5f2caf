import type { Quirks } from '../quirks.js'
import { createMigrationsTable, noteMigration } from './migrate.js'
import type { Names } from './table-names.js'
import { SCHEMA_V1 } from './tables.js'

/** Stands for the user that the application connects as. */
const USER = 'latchkey_app'

/** Written by the set-up alone. */
const READ: readonly string[] = ['identity', 'migrations']

/** What the application's own user needs, as statements in comments: whom they are for is known to the administrator alone. */
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
  return ['-- Afterwards, what the user of the application needs, and no more:', ...grants.map((grant) => `--   ${grant};`)]
}

/** The SQL that `migrate()` runs on an empty database, for those whose administrators run it. */
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
