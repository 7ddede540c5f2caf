import { CompiledQuery } from 'kysely'
import { askRaw, type Steps } from '../engine.js'
import type { Migration, Quirks } from '../quirks.js'
import type { Names } from './table-names.js'
import type { Wide } from './token-columns.js'
import { wide } from './wide.js'

/** The statement that makes the table of what has been done. */
export const createMigrationsTable = (quirks: Quirks, names: Names): string =>
  `create table if not exists ${quirks.table(names, 'migrations')} (version integer not null primary key, name varchar(200) not null)`

/** The statement that notes a migration as done. */
export const noteMigration = (quirks: Quirks, names: Names, { version, name }: Migration): string =>
  `insert into ${quirks.table(names, 'migrations')} (version, name) values (${version}, '${name}')`

/** Which versions are done, or `undefined` where the table of them is not there yet. */
function* doneVersions(quirks: Quirks, names: Names): Steps<ReadonlySet<number>> {
  const query = CompiledQuery.raw(`select version from ${quirks.table(names, 'migrations')}`) as CompiledQuery<{ version: Wide }>
  const { rows } = yield* askRaw(query)
  return new Set(rows.map((row) => wide(row.version)))
}

/** Is there nothing to do? Asked without any lock, so that a start on an upgraded database needs no right to change it. */
export function* isUpToDate(quirks: Quirks, names: Names): Steps<boolean> {
  const done = yield* doneVersions(quirks, names)
  return quirks.migrations(names).every((migration) => done.has(migration.version))
}

/** Does what is not done yet. Run it under a lock: in one transaction where the server can roll back its schema. */
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
