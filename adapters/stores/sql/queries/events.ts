import { type Expression, type ExpressionBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import type { ListedEvent } from '../../../../src/model/event.js'
import type { BulkPart, EventQuery } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { cutColumns, type ReadEventRow, rowToEvent } from '../schema/event-row.js'
import type { Tables } from '../schema/schema.js'

type Events = ExpressionBuilder<Tables, 'events'>
type Rows = SelectQueryBuilder<Tables, 'events', { [Column in keyof ReadEventRow]: ReadEventRow[Column] }>

/** The sort direction of a query. */
const directionOf = ({ order }: EventQuery): 'asc' | 'desc' => (order === 'oldest' ? 'asc' : 'desc')

/** The first events in the order of a query that match it and `more`. */
const page = ({ builder, quirks }: Sql, query: EventQuery, more: (eb: Events) => readonly Expression<SqlBool>[]): Rows =>
  builder
    .selectFrom('events')
    .selectAll('events')
    .$if(quirks.isCut !== undefined, (rows) => rows.select(sql<number>`${sql.raw(cutColumns(quirks.isCut ?? String))}`.as('cut_columns')))
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
const trail = (store: Sql, query: EventQuery, bulk: BulkPart): Rows =>
  store.builder
    .selectFrom(page(store, query, about(query)).as('own'))
    .selectAll('own')
    .union(store.builder.selectFrom(page(store, query, partOf(bulk)).as('bulk')).selectAll('bulk'))
    .orderBy('seq', directionOf(query))
    .limit(query.limit) as unknown as Rows

/** One page of audit events. */
export const events = async (store: Sql, query: EventQuery): Promise<readonly ListedEvent[]> => {
  if (query.tenantIds?.length === 0 || query.actions?.length === 0) return []
  const rows = query.bulk === undefined ? page(store, query, about(query)) : trail(store, query, query.bulk)
  return (await (store.engine.read ?? store.engine.run)(rows.compile())).rows.map(rowToEvent)
}
