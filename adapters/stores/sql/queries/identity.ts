import type { Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'

const compile = ({ builder }: Sql) => builder.selectFrom('identity').select('value').where('id', '=', 1)

const known: WeakMap<Sql, string> = new WeakMap()

/** Reads the text that identifies this database. Read once, because it never changes. */
export const identityOf = async (sql: Sql): Promise<string | undefined> => {
  const found = known.get(sql) ?? (await sql.engine.run(compile(sql).compile())).rows[0]?.value
  if (found !== undefined) known.set(sql, found)
  return found
}

/** Returns whether the steps run in the database that this text identifies. */
export function* isDatabase(sql: Sql, identity: string | undefined): Steps<boolean> {
  try {
    const { rows } = yield* ask(compile(sql))
    return identity !== undefined && rows[0]?.value === identity
  } catch (error) {
    // The tables do not exist, or another server needs different SQL.
    if (['connection', 'contention', 'waited', 'closed'].includes(sql.quirks.faultOf(error))) throw error
    return false
  }
}
