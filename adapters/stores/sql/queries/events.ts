import type { Expression, SqlBool } from 'kysely'
import type { ListedEvent } from '../../../../src/model/event.js'
import type { EventQuery } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { rowToEvent } from '../schema/event-row.js'

/** One page of audit events, newest first. */
export const events = async (sql: Sql, query: EventQuery): Promise<readonly ListedEvent[]> => {
  if (query.tenantIds?.length === 0 || query.actions?.length === 0) return []
  const compiled = sql.builder
    .selectFrom('events')
    .selectAll()
    .where((eb) => {
      const conditions: Expression<SqlBool>[] = [eb('prefix', '=', query.prefix)]
      if (query.tokenId !== undefined) conditions.push(eb('token_id', '=', query.tokenId))
      if (query.tenantIds !== undefined) conditions.push(eb('tenant_id', 'in', [...query.tenantIds]))
      if (query.actions !== undefined) conditions.push(eb('action', 'in', [...query.actions]))
      if (query.createdBy !== undefined) conditions.push(eb('created_by', '=', query.createdBy))
      if (query.after !== undefined) conditions.push(eb('seq', '<', query.after))
      return eb.and(conditions)
    })
    .orderBy('seq', 'desc')
    .limit(query.limit)
    .compile()
  const { rows } = await sql.engine.run(compiled)
  return rows.map(rowToEvent)
}
