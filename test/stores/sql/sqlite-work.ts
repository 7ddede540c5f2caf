import { createRequire } from 'node:module'
import type { CompiledQuery } from 'kysely'
import { type Sql, sqlOf } from '../../../adapters/stores/sql/context.js'
import { sqliteQuirks } from '../../../adapters/stores/sql/dialects/sqlite-quirks.js'
import type { Engine } from '../../../adapters/stores/sql/engine.js'

const NAMES = { tablePrefix: 'latchkey_' }

/** A statement, and how many instructions of its program SQLite ran: a few for each row or entry that it examined. */
export type Work = { readonly sql: string; readonly instructions: number }

/** Opens an empty database, and records the work of each query that a store makes of it. */
export function countedSqlite(): { sql: Sql; exec(statement: string): void; ids(query: string): string[]; work: Work[]; close(): void } {
  const Database = createRequire(import.meta.url)('libsql')
  const database = new Database(':memory:')
  for (const { statements, optional } of sqliteQuirks.migrations(NAMES)) {
    for (const statement of [...statements, ...(optional?.statements ?? [])]) database.exec(statement)
  }
  const work: Work[] = []
  // https://www.sqlite.org/stmt.html: the latest statement with a text is the first one.
  const latest = database.prepare('select nstep from sqlite_stmt where sql = ? limit 1')
  const engine = {
    run({ sql, parameters }: CompiledQuery) {
      const rows = database.prepare(sql).all(...parameters)
      work.push({ sql, instructions: latest.get(sql).nstep })
      return { rows }
    },
  } as unknown as Engine
  return {
    sql: sqlOf(engine, sqliteQuirks, NAMES),
    exec: (statement) => database.exec(statement),
    ids: (query) =>
      database
        .prepare(query)
        .all()
        .map(({ id }: { id: string }) => id),
    work,
    close: () => database.close(),
  }
}
