import type { CompiledQuery } from 'kysely'
import { promptly } from '../retry.js'
import { BRIEF_MS } from '../silence.js'
import type { PostgresLease, PostgresResult } from './postgres-connection.js'
import { postgresQuirks, statementName } from './postgres-quirks.js'

/**
 * Sends queries as named statements, which the server plans once per connection. If a pooler in between does not know the names, sends them unnamed.
 *
 * A pooler may also hand out a connection on which another process prepared a statement by the same name. Each name is therefore derived from the
 * statement's text, so that two texts never share a name.
 */
export const findThrough = (lease: () => Promise<PostgresLease>): ((query: CompiledQuery) => Promise<readonly unknown[]>) => {
  let named = true
  const statements = new Map<string, string>()
  return async (query) => {
    let name = statements.get(query.sql)
    if (name === undefined) {
      name = statementName(query.sql)
      statements.set(query.sql, name)
    }
    const config = { text: query.sql, values: query.parameters }
    const ask = async (): Promise<PostgresResult> => {
      const held = await lease()
      try {
        return await held.query(named ? { name, ...config } : config, BRIEF_MS)
      } finally {
        held.release()
      }
    }
    const reasked = async (): Promise<PostgresResult> => {
      try {
        return await ask()
      } catch (error) {
        const { code } = error as { readonly code?: unknown }
        // invalid_sql_statement_name, duplicate_prepared_statement
        if (code === '26000' || code === '42P05') named = false
        // feature_not_supported: the plan is from before a change to the schema.
        else if (code !== '0A000') throw error
        return await ask()
      }
    }
    return (await promptly(postgresQuirks.faultOf, reasked)).rows
  }
}
