import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { ownFields } from '../../../../src/model/own-fields.js'
import type { ListQuery, TokenFilter } from '../../../../src/store/port.js'
import { createTurns } from '../../../../src/store/timer.js'
import { chunks, type Sql } from '../context.js'
import { wide } from '../schema/wide.js'
import { type ColumnOf, filterConditions, hidden, plain } from './filter.js'

// A statement on SQLite blocks the process that runs it. So on SQLite, a statement examines only a limited part of one index, which is chosen here, and other
// work runs between statements. Other servers work beside the process, and find the quickest way themselves.

/** A place in list order. */
export type Place = NonNullable<ListQuery['after']>

/** The filters that decide which indexes contain all tokens of a list. */
export type Walked = TokenFilter & Pick<ListQuery, 'statuses' | 'after'>

/** An index that contains the tokens of a list in list order, and possibly others: a column, and the values whose tokens it contains. */
export type Walk = {
  readonly column: 'created_by' | 'owner_id' | 'tenant_id' | 'prefix'
  readonly values: readonly string[]
  readonly state?: 'live' | 'revoked' | 'inactive' | undefined
}

/** A part of a walk: the tokens after one place, up to and including another. Without an edge, up to the end. */
export type Stretch = { readonly walk: Walk; readonly after?: Place | undefined; readonly edge?: Place | undefined }

/** Lets other work run, if it has waited. */
export type GiveWay = () => Promise<void>

export const createGiveWay = (): GiveWay => createTurns(() => performance.now())

/** The maximum number of tokens that one statement examines. */
export const MOST = 5_000
/** How many tokens the first statement of a list examines. Each one after it examines more, because few tokens match. */
const FIRST = 500
const GROWTH = 4
/** Up to this many tenants are queried one by one. */
export const MOST_TENANTS = 64
/** The minimum number of tokens that are examined for each of several tenants. */
const LEAST_EACH = Math.floor(MOST / MOST_TENANTS)

/** Returns the state that all tokens with these statuses have, if it is one. */
const stateOf = ({ statuses = [] }: Walked): Walk['state'] => {
  const states = new Set(statuses.map((status) => (status === 'revoked' || status === 'inactive' ? status : 'live')))
  const [state] = states
  return states.size === 1 ? state : undefined
}

const walksOf = (query: Walked): readonly Walk[] => {
  const { prefix, tenantIds, ownerId, createdBy } = query
  const state = stateOf(query)
  const all: Walk = { column: 'prefix', values: [prefix], state }
  const walks: Walk[] = []
  if (createdBy !== undefined) walks.push({ column: 'created_by', values: [createdBy] })
  if (ownerId !== undefined) walks.push({ column: 'owner_id', values: [ownerId] })
  const tenants = [...new Set(tenantIds)]
  if (tenantIds !== undefined && tenants.length <= MOST_TENANTS) {
    walks.push({ column: 'tenant_id', values: tenants, state })
    // Walking several tenants side by side is slow if most of their tokens belong to one of them.
    if (tenants.length > 1) walks.push(all)
  }
  return walks.length === 0 || state === 'revoked' || state === 'inactive' ? [...walks, all] : walks
}

/** Returns whether the token at each place of a walk matches the query. */
const isExact = ({ column, state }: Walk, query: Walked): boolean => {
  const { prefix: _prefix, after: _after, tenantIds, ownerId, createdBy, statuses, ...others } = query
  // Not part of the filter.
  const { now: _now, limit: _limit, ...filters } = others as Partial<ListQuery>
  return (
    Object.values(filters).every((filter) => filter === undefined) &&
    (tenantIds === undefined || column === 'tenant_id') &&
    (ownerId === undefined || column === 'owner_id') &&
    (createdBy === undefined || column === 'created_by') &&
    (statuses === undefined || (statuses.length === 1 && state !== undefined && state !== 'live'))
  )
}

/** Whether a token is at or before a place in list order. */
export const isUpTo = (place: Place, column: ColumnOf = plain): RawBuilder<SqlBool> =>
  sql`(${column('created_at')}, ${column('id')}) >= (${place.createdAt}, ${place.id})`

/** Returns the conditions of the tokens that a stretch contains for one of its values. Its index finds exactly these. */
export const stretchCondition = (prefix: string, { walk, after, edge }: Stretch, value: string): Expression<SqlBool> => {
  const conditions: RawBuilder<SqlBool>[] = [sql`${sql.ref('tokens.prefix')} = ${prefix}`]
  if (walk.column !== 'prefix') conditions.push(sql`${sql.ref(`tokens.${walk.column}`)} = ${value}`)
  if (walk.state !== undefined) conditions.push(sql`${sql.ref('tokens.state')} = ${walk.state}`)
  if (after !== undefined) conditions.push(sql`(${plain('created_at')}, ${plain('id')}) < (${after.createdAt}, ${after.id})`)
  if (edge !== undefined) conditions.push(isUpTo(edge))
  return sql.join(conditions, sql` and `) as RawBuilder<SqlBool>
}

/** Returns where a walk stops so that it examines at most `most` tokens, or `undefined` if there are fewer. */
const edgeOf = async ({ builder, engine }: Sql, prefix: string, stretch: Stretch, most: number): Promise<Place | undefined> => {
  const { values } = stretch.walk
  const edges = values.map((value) => {
    const row = builder
      .selectFrom('tokens')
      .select(['id', 'created_at'])
      .where(stretchCondition(prefix, stretch, value))
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(1)
      .offset(Math.max(LEAST_EACH, Math.floor(most / values.length)) - 1)
    return builder.selectFrom(row.as('edge')).select(['edge.id', 'edge.created_at'])
  })
  const [first, ...others] = edges
  const newest = others
    .reduce((all, next) => all?.unionAll(next), first)
    ?.orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .compile()
  const row = newest && (await (engine.read ?? engine.run)(newest)).rows[0]
  return row && { createdAt: wide(row.created_at), id: row.id }
}

/** Compares two places in list order. */
export const comparePlaces = (a: Place, b: Place): number => b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)

/** Returns the stretch that goes furthest. */
const furthest = async (context: Sql, prefix: string, walks: readonly Walk[], after: Place | undefined, most: number): Promise<Stretch> => {
  const [first, ...others] = walks
  if (first === undefined) throw new Error('a list has no walk')
  let best: Stretch | undefined
  for (const walk of [first, ...others]) {
    const edge = await edgeOf(context, prefix, { walk, after }, most)
    if (edge === undefined) return { walk, after }
    if (best?.edge === undefined || comparePlaces(edge, best.edge) > 0) best = { walk, after, edge }
  }
  return best ?? { walk: first, after }
}

/** Divides a list into stretches that contain at most `MOST` tokens each. If every token matches, the first of `limit` tokens are enough. */
export async function* stretches(
  context: Sql,
  query: Walked,
  limit: number,
  giveWay: GiveWay,
  first: number = FIRST,
): AsyncGenerator<Stretch, void, void> {
  const { prefix } = query
  await giveWay()
  const walks = walksOf(query)
  const exact = walks.find((walk) => isExact(walk, query) && walk.values.length * limit <= MOST)
  if (exact !== undefined) {
    yield { walk: exact, after: query.after }
    return
  }
  let { after } = query
  for (let most = first; ; most = Math.min(GROWTH * most, MOST)) {
    const stretch = await furthest(context, prefix, walks, after, most)
    yield stretch
    after = stretch.edge
    if (after === undefined) return
    await giveWay()
  }
}

/** How many tenants one statement looks up. */
const TENANTS_AT_ONCE = 500

/** Leaves out the tenants of a long list that have no tokens, because each tenant takes several subqueries. */
export const withTokens = async ({ builder, engine }: Sql, query: ListQuery, giveWay: GiveWay): Promise<ListQuery> => {
  const { prefix, tenantIds, ownerId, createdBy } = query
  if (tenantIds === undefined || tenantIds.length <= MOST_TENANTS || ownerId !== undefined || createdBy !== undefined) return query
  const known: string[] = []
  for (const some of chunks([...new Set(tenantIds)], TENANTS_AT_ONCE)) {
    const found = builder
      .selectFrom(sql<{ value: string }>`json_each(${JSON.stringify(some)})`.as('wanted'))
      .select('wanted.value')
      .where((eb) =>
        eb.exists(
          eb.selectFrom('tokens').select('tokens.id').where('tokens.prefix', '=', prefix).whereRef('tokens.tenant_id', '=', 'wanted.value'),
        ),
      )
    known.push(...(await (engine.read ?? engine.run)(found.compile())).rows.map(({ value }) => value))
    await giveWay()
  }
  return ownFields({ ...query, tenantIds: known })
}

/** Divides the tenants of a filter into groups. A creator or an owner may have tokens in any number of tenants. */
export const groupsOf = <Query extends Walked>(query: Query): readonly Query[] => {
  const { tenantIds, ownerId, createdBy } = query
  if (tenantIds === undefined || ownerId !== undefined || createdBy !== undefined) return [query]
  return chunks([...new Set(tenantIds)], MOST_TENANTS).map((group) => ownFields({ ...query, tenantIds: group }))
}

/** Returns whether few tokens have the creator, the owner or the tenants of a query. */
export const hasShortWalk = async (context: Sql, query: Walked): Promise<boolean> => {
  for (const walk of walksOf(query)) {
    if (walk.column !== 'prefix' && (await edgeOf(context, query.prefix, { walk, after: query.after }, MOST)) === undefined) return true
  }
  return false
}

/** Counts the tokens of a stretch that match a filter. */
const countOf = async ({ builder, engine }: Sql, filter: TokenFilter, stretch: Stretch): Promise<number> => {
  const [first, ...others] = stretch.walk.values.map((value) => {
    const rows = builder
      .selectFrom('tokens')
      .select('tokens.id')
      .where((eb) => eb.and([...filterConditions(eb, filter, hidden), stretchCondition(filter.prefix, stretch, value)]))
      // Otherwise, SQLite would use an index with fewer columns, even if it contains more tokens.
      .orderBy('tokens.created_at', 'desc')
      .orderBy('tokens.id', 'desc')
      .limit(MOST)
    return builder.selectFrom(rows.as('some')).select((eb) => eb.fn.countAll().as('found'))
  })
  if (first === undefined) return 0
  const { rows } = await (engine.read ?? engine.run)(others.reduce((all, next) => all.unionAll(next), first).compile())
  return rows.reduce((sum, { found }) => sum + wide(found), 0)
}

/** Returns whether at most this many tokens match a filter. */
export const atMostInSteps = async (
  context: Sql,
  most: number,
  { prefix, tenantIds, ownerId, createdBy, rootId }: TokenFilter,
): Promise<boolean> => {
  const filter: TokenFilter = ownFields({
    prefix,
    ...(tenantIds !== undefined && { tenantIds }),
    ...(ownerId !== undefined && { ownerId }),
    ...(createdBy !== undefined && { createdBy }),
    ...(rootId !== undefined && { rootId }),
  })
  const giveWay = createGiveWay()
  let count = 0
  for (const group of groupsOf(filter)) {
    // No walk is exact with an endless limit, so each is divided.
    for await (const stretch of stretches(context, group, Number.POSITIVE_INFINITY, giveWay, MOST)) {
      count += await countOf(context, group, stretch)
      if (count > most) return false
    }
  }
  return true
}
