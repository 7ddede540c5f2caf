import { type Expression, type ExpressionBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import { type BulkPart, type EventPage, type EventQuery, MOST_EXAMINED } from '../../../../src/store/port.js'
import { chunks, type Sql } from '../context.js'
import { cutColumns, type ReadEventRow, rowToEvent } from '../schema/event-row.js'
import type { Tables } from '../schema/schema.js'

type Events = ExpressionBuilder<Tables, 'events'>
type Rows = SelectQueryBuilder<Tables, 'events', { [Column in keyof ReadEventRow]: ReadEventRow[Column] }>

/** Returns the sort direction of a query. */
const directionOf = ({ order }: EventQuery): 'asc' | 'desc' => (order === 'oldest' ? 'asc' : 'desc')

/** The index that a limited query walks: a column and the values whose events it contains. */
type Walk = { readonly column: 'token_id' | 'created_by' | 'tenant_id' | 'action' | 'prefix'; readonly values: readonly string[] }

/** The last position that a query examines, if it stops before the end. */
type Limited = EventQuery & { readonly walk?: Walk; readonly edge?: number | undefined }

/** With more tenants than this, walking the events of each tenant takes too long. */
const MOST_WALKED = 500

/** The minimum number of events that are examined for each of several values. */
const LEAST_EACH = 50

/** How many subqueries a statement may have: SQLite accepts 500. */
const WALKED_AT_ONCE = 100

/** Returns the index to walk if a query may have to examine many events that do not match, or that must be sorted. */
const walkOf = ({ prefix, id, tokenId, createdBy, tenantIds, actions, actorId, from, to }: EventQuery): Walk | undefined => {
  const filters = [tokenId, createdBy, tenantIds, actions, actorId, from, to].filter((filter) => filter !== undefined)
  if (id !== undefined || filters.length === 0) return undefined
  if (tokenId !== undefined) return filters.length === 1 ? undefined : { column: 'token_id', values: [tokenId] }
  if (createdBy !== undefined) return filters.length === 1 ? undefined : { column: 'created_by', values: [createdBy] }
  const tenants = [...new Set(tenantIds)]
  const listed = tenantIds !== undefined && tenants.length <= MOST_WALKED ? tenants : undefined
  const values = listed ?? (actions === undefined ? undefined : [...new Set(actions)])
  if (values === undefined) return { column: 'prefix', values: [prefix] }
  if (filters.length === 1 && values.length === 1) return undefined
  return { column: listed === undefined ? 'action' : 'tenant_id', values }
}

/** Hides a column from the planner, which could otherwise choose its index and read and sort far more events than the walked index contains. */
const hidden = (eb: Events, { walk }: Limited, column: 'tenant_id' | 'action' | 'created_by'): Expression<string | null> =>
  walk === undefined || walk.column === column ? eb.ref(column) : eb.fn.coalesce(column, sql.lit(''))

/** Selects the event at position `most` among those with one value of a walked column, in the order of a query. */
const edgeOf = ({ builder }: Sql, query: Limited, { column }: Walk, value: string, most: number) =>
  builder
    .selectFrom('events')
    .select('seq')
    .where((eb) => {
      const conditions: Expression<SqlBool>[] = [eb('prefix', '=', query.prefix)]
      if (column !== 'prefix') conditions.push(eb(column, '=', value))
      if (query.after !== undefined) conditions.push(eb('seq', query.order === 'oldest' ? '>' : '<', query.after))
      return eb.and(conditions)
    })
    .orderBy('seq', directionOf(query))
    .limit(1)
    .offset(most - 1)

/** Returns where a query stops so that it examines about `MOST_EXAMINED` events, or `undefined` if there are fewer. */
const edge = async (store: Sql, query: EventQuery, walk: Walk): Promise<number | undefined> => {
  const most = Math.max(LEAST_EACH, Math.floor(MOST_EXAMINED / walk.values.length))
  const edges: number[] = []
  for (const values of chunks(walk.values, WALKED_AT_ONCE)) {
    const [first, ...others] = values.map((value) =>
      store.builder.selectFrom(edgeOf(store, query, walk, value, most).as('edge')).select('edge.seq'),
    )
    if (first === undefined) continue
    const united = others.reduce((all, one) => all.unionAll(one), first)
    edges.push(...(await (store.engine.read ?? store.engine.run)(united.compile())).rows.map(({ seq }) => Number(seq)))
  }
  if (edges.length === 0) return undefined
  return query.order === 'oldest' ? Math.min(...edges) : Math.max(...edges)
}

/** Selects the first events in the order of a query that match it and `more`. */
const page = ({ builder, quirks }: Sql, query: Limited, more: (eb: Events) => readonly Expression<SqlBool>[]): Rows =>
  builder
    .selectFrom('events')
    .selectAll('events')
    .$if(quirks.isCut !== undefined, (rows) => rows.select(sql<number>`${sql.raw(cutColumns(quirks.isCut ?? String))}`.as('cut_columns')))
    .where((eb) => {
      const conditions: Expression<SqlBool>[] = [eb('prefix', '=', query.prefix), ...more(eb)]
      if (query.id !== undefined) conditions.push(eb('id', '=', query.id))
      if (query.tenantIds !== undefined) conditions.push(eb(hidden(eb, query, 'tenant_id'), 'in', [...query.tenantIds]))
      if (query.actions !== undefined) conditions.push(eb(hidden(eb, query, 'action'), 'in', [...query.actions]))
      if (query.actorId !== undefined) conditions.push(eb('actor_id', '=', query.actorId))
      if (query.from !== undefined) conditions.push(eb('at', '>=', query.from))
      if (query.to !== undefined) conditions.push(eb('at', '<', query.to))
      if (query.after !== undefined) conditions.push(eb('seq', query.order === 'oldest' ? '>' : '<', query.after))
      if (query.edge !== undefined) conditions.push(eb('seq', query.order === 'oldest' ? '<=' : '>=', query.edge))
      return eb.and(conditions)
    })
    .orderBy('seq', directionOf(query))
    .limit(query.limit)

const about =
  (query: Limited) =>
  (eb: Events): readonly Expression<SqlBool>[] => [
    ...(query.tokenId === undefined ? [] : [eb('token_id', '=', query.tokenId)]),
    ...(query.createdBy === undefined ? [] : [eb(hidden(eb, query, 'created_by'), '=', query.createdBy)]),
  ]

const partOf =
  ({ bulkId, tenantId }: BulkPart) =>
  (eb: Events): readonly Expression<SqlBool>[] => [
    eb('bulk_id', '=', bulkId),
    tenantId === undefined ? eb('tenant_id', 'is', null) : eb('tenant_id', '=', tenantId),
  ]

/** Reads the events about a token and those of its bulk revocation, each from its own index. */
const trail = (store: Sql, query: Limited, bulk: BulkPart): Rows =>
  store.builder
    .selectFrom(page(store, query, about(query)).as('own'))
    .selectAll('own')
    .union(store.builder.selectFrom(page(store, query, partOf(bulk)).as('bulk')).selectAll('bulk'))
    .orderBy('seq', directionOf(query))
    .limit(query.limit) as unknown as Rows

/** Reads one page of audit events. If many might not match, first finds out where to stop: counting positions in an index reads no events. */
export const events = async (store: Sql, given: EventQuery): Promise<EventPage> => {
  if (given.tenantIds?.length === 0 || given.actions?.length === 0) return []
  const walk = walkOf(given)
  const query: Limited = walk === undefined ? given : { ...given, walk, edge: await edge(store, given, walk) }
  const rows = query.bulk === undefined ? page(store, query, about(query)) : trail(store, query, query.bulk)
  const found = (await (store.engine.read ?? store.engine.run)(rows.compile())).rows.map(rowToEvent)
  return query.edge === undefined || found.length >= query.limit ? found : Object.assign(found, { stoppedAt: query.edge })
}
