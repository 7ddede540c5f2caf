import type { Expression, ExpressionBuilder, SelectQueryBuilder, SqlBool } from 'kysely'
import type { ListedEvent } from '../../../../src/model/event.js'
import type { BulkPart, EventQuery } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import type { Builder } from '../quirks.js'
import { rowToEvent } from '../schema/event-row.js'
import type { EventRow, Tables } from '../schema/schema.js'

type Events = ExpressionBuilder<Tables, 'events'>
type Rows = SelectQueryBuilder<Tables, 'events', { [Column in keyof EventRow]: EventRow[Column] }>

/** The direction of a query's order. */
const directionOf = ({ order }: EventQuery): 'asc' | 'desc' => (order === 'oldest' ? 'asc' : 'desc')

/** The first events in the order of a query that match it and `more`. */
const page = (builder: Builder, query: EventQuery, more: (eb: Events) => readonly Expression<SqlBool>[]): Rows =>
  builder
    .selectFrom('events')
    .selectAll('events')
    .where((eb) => {
      const conditions: Expression<SqlBool>[] = [eb('prefix', '=', query.prefix), ...more(eb)]
      if (query.id !== undefined) conditions.push(eb('id', '=', query.id))
      if (query.tenantIds !== undefined) conditions.push(eb('tenant_id', 'in', [...query.tenantIds]))
      if (query.actions !== undefined) conditions.push(eb('action', 'in', [...query.actions]))
      if (query.actorId !== undefined) conditions.push(eb('actor_id', '=', query.actorId))
      if (query.from !== undefined) conditions.push(eb('at', '>=', query.from))
      if (query.to !== undefined) conditions.push(eb('at', '<', query.to))
      if (query.after !== undefined) conditions.push(eb('seq', query.order === 'oldest' ? '>' : '<', query.after))
      return eb.and(conditions)
    })
    .orderBy('seq', directionOf(query))
    .limit(query.limit)

const about =
  ({ tokenId, createdBy }: EventQuery) =>
  (eb: Events): readonly Expression<SqlBool>[] => [
    ...(tokenId === undefined ? [] : [eb('token_id', '=', tokenId)]),
    ...(createdBy === undefined ? [] : [eb('created_by', '=', createdBy)]),
  ]

const partOf =
  ({ bulkId, tenantId }: BulkPart) =>
  (eb: Events): readonly Expression<SqlBool>[] => [
    eb('bulk_id', '=', bulkId),
    tenantId === undefined ? eb('tenant_id', 'is', null) : eb('tenant_id', '=', tenantId),
  ]

/** Each half from its own index. */
const trail = (builder: Builder, query: EventQuery, bulk: BulkPart): Rows =>
  builder
    .selectFrom(page(builder, query, about(query)).as('own'))
    .selectAll('own')
    .union(builder.selectFrom(page(builder, query, partOf(bulk)).as('bulk')).selectAll('bulk'))
    .orderBy('seq', directionOf(query))
    .limit(query.limit) as unknown as Rows

/** One page of audit events. */
export const events = async ({ builder, engine }: Sql, query: EventQuery): Promise<readonly ListedEvent[]> => {
  if (query.tenantIds?.length === 0 || query.actions?.length === 0) return []
  const rows = query.bulk === undefined ? page(builder, query, about(query)) : trail(builder, query, query.bulk)
  return (await engine.run(rows.compile())).rows.map(rowToEvent)
}
