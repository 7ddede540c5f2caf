import { CompiledQuery } from 'kysely'
import { askRaw, type Steps } from '../engine.js'
import type { Migration, Quirks } from '../quirks.js'
import type { Names } from './table-names.js'
import type { Wide } from './token-columns.js'
import { wide } from './wide.js'

/** Returns the statement that creates the table of applied migrations. */
export const createMigrationsTable = (quirks: Quirks, names: Names): string =>
  `create table if not exists ${quirks.table(names, 'migrations')} (version integer not null primary key, name varchar(200) not null)`

/** Returns the statement that records a migration as applied. */
export const noteMigration = (quirks: Quirks, names: Names, { version, name }: Migration): string =>
  `insert into ${quirks.table(names, 'migrations')} (version, name) values (${version}, '${name}')`

/** Returns the versions that are applied. Fails if the table of migrations does not exist. */
function* doneVersions(quirks: Quirks, names: Names): Steps<ReadonlySet<number>> {
  const query = CompiledQuery.raw(`select version from ${quirks.table(names, 'migrations')}`) as CompiledQuery<{ version: Wide }>
  const { rows } = yield* askRaw(query)
  return new Set(rows.map((row) => wide(row.version)))
}

/** Returns whether all migrations are applied. Takes no lock, so starting on an upgraded database needs no right to change its schema. */
export function* isUpToDate(quirks: Quirks, names: Names): Steps<boolean> {
  const done = yield* doneVersions(quirks, names)
  return quirks.migrations(names).every((migration) => done.has(migration.version))
}

/** Applies the missing migrations. Run it under a lock, and in one transaction if the server can roll back schema changes. */
export function* migrationSteps(quirks: Quirks, names: Names): Steps<void> {
  yield CompiledQuery.raw(createMigrationsTable(quirks, names))
  const done = yield* doneVersions(quirks, names)
  for (const migration of quirks.migrations(names)) {
    if (done.has(migration.version)) continue
    for (const statement of migration.statements) yield CompiledQuery.raw(statement)
    try {
      for (const statement of migration.optional?.statements ?? []) yield CompiledQuery.raw(statement)
    } catch (error) {
      if (!migration.optional?.forgives(error)) throw error
    }
    yield CompiledQuery.raw(noteMigration(quirks, names, migration))
  }
}
