import type { Quirks } from '../quirks.js'
import { createMigrationsTable, noteMigration } from './migrate.js'
import type { Names } from './table-names.js'

/** The SQL that `migrate()` runs on an empty database, for those whose administrators run it. */
export const printMigrations = (quirks: Quirks, names: Names): string => {
  const parts = [`${createMigrationsTable(quirks, names)};`]
  for (const migration of quirks.migrations(names)) {
    parts.push(`-- ${migration.version}: ${migration.name}`)
    const { statements, optional } = migration
    for (const statement of [...statements, ...(optional?.statements ?? []), noteMigration(quirks, names, migration)]) {
      parts.push(`${statement};`)
    }
  }
  return `${parts.join('\n\n')}\n`
}
