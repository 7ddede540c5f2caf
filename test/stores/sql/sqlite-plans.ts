import { createRequire } from 'node:module'
import type { CompiledQuery } from 'kysely'
import { type Sql, sqlOf } from '../../../adapters/stores/sql/context.js'
import { sqliteQuirks } from '../../../adapters/stores/sql/dialects/sqlite-quirks.js'
import type { Engine } from '../../../adapters/stores/sql/engine.js'

const NAMES = { tablePrefix: 'latchkey_' }

/** Returns the steps of SQLite's plans for the queries that `ask` makes of an empty database. Each query is only explained, and returns these rows. */
export async function plansOf(
  ask: (sql: Sql) => unknown,
  rowsOf: (query: CompiledQuery) => readonly object[] = () => [],
): Promise<readonly string[]> {
  const Database = createRequire(import.meta.url)('libsql')
  const database = new Database(':memory:')
  for (const { statements } of sqliteQuirks.migrations(NAMES)) for (const statement of statements) database.exec(statement)
  const plans: string[] = []
  const engine = {
    run(query: CompiledQuery) {
      const steps = database.prepare(`explain query plan ${query.sql}`).all(...query.parameters)
      plans.push(...steps.map(({ detail }: { detail: string }) => detail))
      return { rows: rowsOf(query) }
    },
  } as unknown as Engine
  await ask(sqlOf(engine, sqliteQuirks, NAMES))
  database.close()
  return plans
}
