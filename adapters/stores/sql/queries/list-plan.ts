import { type Expression, type SqlBool, sql } from 'kysely'
import { ownFields } from '../../../../src/model/own-fields.js'
import { type ListQuery, MOST_SEARCHED, type TokenFilter, type TokenPage } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import type { Engine } from '../engine.js'
import { wide } from '../schema/wide.js'
import { filterConditions } from './filter.js'
import { atMostInSteps, MOST_TENANTS } from './list-walk.js'

/** Up to this many rows are sorted; beyond it, the store walks the list in order until the page is full. */
const FEW = 2_000
/** Expired tokens are old and come after all others in the list, so sorting more of them is still faster. */
const FEW_EXPIRED = 100_000
/** How long to rely on a count that found few expired tokens. An outdated count may make pages slower, but never different. */
const RELIED_ON_MS = 60_000
/** In a tenant with at most this many tokens, a search reads them all. */
const SMALL_TENANT = 5_000
/** Shorter strings contain no three-letter piece, and longer strings cannot be names. */
const SEARCHABLE = { from: 3, to: 300 }

/** How to find the rows of a list. */
export type Plan = {
  /** An extra condition that uses a narrow index. */
  readonly narrow?: Expression<SqlBool>
  /** There are few rows: find them through the narrow index and sort them, instead of walking the list. */
  readonly sort: boolean
  /**
   * The instant whose index the narrow condition uses. Read from the latest instant, that index is roughly in the order of the list, so little is left to sort.
   */
  readonly by?: 'expires_at' | 'rotation_due_at'
  /** SQLite has no statistics, and would often choose the wrong index. It can use only an index of the narrow condition, or that of IDs. */
  readonly hide?: true
}

type Narrow = Required<Pick<Plan, 'narrow' | 'by'>>

const WALK: Plan = { sort: false }
const NONE: Plan = { narrow: sql<SqlBool>`1 = 0`, sort: true }

/** Why there is no plan: the walk would read too many names. */
export type TooWide = NonNullable<TokenPage['tooWide']>

/** Counts up to a bound, so counting never costs more than the query that it chooses. */
const atMost = async (context: Sql, most: number, filter: TokenFilter, narrow?: Expression<SqlBool>): Promise<boolean> => {
  if (context.quirks.dialect === 'sqlite' && narrow === undefined) return atMostInSteps(context, most, filter)
  const { builder, engine } = context
  const rows = builder
    .selectFrom('tokens')
    .select(sql<number>`1`.as('one'))
    .where((eb) => eb.and([...filterConditions(eb, filter), ...(narrow === undefined ? [] : [narrow])]))
    .limit(most + 1)
  const counted = builder.selectFrom(rows.as('some')).select((eb) => eb.fn.countAll().as('found'))
  const result = await (engine.read ?? engine.run)(counted.compile())
  return wide(result.rows[0]?.found ?? 0) <= most
}

/** The last time at which each prefix was found to have at most `FEW_EXPIRED` expired tokens. */
const fewAt: WeakMap<Engine, Map<string, number>> = new WeakMap()

/** Returns whether few tokens have expired. Counting them takes about half as long as finding and sorting them. */
const fewExpired = async (context: Sql, { prefix, now }: ListQuery, narrow: Expression<SqlBool>): Promise<boolean> => {
  const known = fewAt.get(context.engine) ?? new Map<string, number>()
  fewAt.set(context.engine, known)
  const age = now - (known.get(prefix) ?? Number.NEGATIVE_INFINITY)
  if (age >= 0 && age < RELIED_ON_MS) return true
  const few = await atMost(context, FEW_EXPIRED, ownFields({ prefix }), narrow)
  if (few) known.set(prefix, now)
  else known.delete(prefix)
  return few
}

/** Walks the list if it is short enough to read every name. */
const unindexed = async (context: Sql, query: ListQuery, tooWide: TooWide): Promise<Plan | TooWide> => {
  if (query.idStartsWith !== undefined) return WALK
  return (await atMost(context, MOST_SEARCHED, query)) ? WALK : tooWide
}

const hasNameIndex = async ({ names, quirks, engine }: Sql): Promise<boolean> => {
  if (quirks.nameIndexes === undefined) return false
  const { rows } = await (engine.read ?? engine.run)(quirks.nameIndexes(names))
  return wide(rows[0]?.found ?? 0) > 0
}

/** Decides how to search for part of a name. */
export const named = async (context: Sql, query: ListQuery, folded: string): Promise<Plan | TooWide> => {
  const { names, quirks, engine } = context
  const index = quirks.nameIndex
  const { length } = [...folded.slice(0, 2 * SEARCHABLE.to)]
  if (length >= SEARCHABLE.to) return NONE
  if (index === undefined && !(await hasNameIndex(context))) return unindexed(context, query, 'store')
  if (length < SEARCHABLE.from) return unindexed(context, query, 'text')
  if (index === undefined) return WALK
  const { prefix, tenantIds } = query
  if (tenantIds?.length === 1 && (await atMost(context, SMALL_TENANT, ownFields({ prefix, tenantIds })))) return WALK
  try {
    const { rows } = await (engine.read ?? engine.run)(index.count(names, folded, FEW + 1))
    return wide(rows[0]?.found ?? 0) <= FEW ? { narrow: index.condition(names, folded), sort: true, hide: true } : WALK
  } catch (error) {
    // The search table could not be created on this server.
    if (quirks.faultOf(error) === 'tables_missing') return unindexed(context, query, 'store')
    throw error
  }
}

/** Returns the condition of a query that limits an instant to a range. Only a small fraction of all tokens, mostly old ones, match it. */
const windowOf = ({ expiresFrom, expiresBefore, rotationDue, rotationDueFrom, now }: ListQuery): Narrow | undefined => {
  const [expiresAt, dueAt] = [sql.ref('tokens.expires_at'), sql.ref('tokens.rotation_due_at')]
  if (expiresFrom !== undefined && expiresBefore !== undefined) {
    return { narrow: sql<SqlBool>`${expiresAt} >= ${expiresFrom} and ${expiresAt} < ${expiresBefore}`, by: 'expires_at' }
  }
  if (rotationDue === undefined || rotationDueFrom === undefined) return undefined
  return { narrow: sql<SqlBool>`${dueAt} >= ${rotationDueFrom} and ${dueAt} <= ${now}`, by: 'rotation_due_at' }
}

/**
 * Decides how to find the rows of a page.
 *
 * A walk in list order is fast if matches are common and reads everything if they are rare; a narrow index is the opposite. A server with missing
 * or old statistics guesses wrong, so the rare matches are counted first.
 */
export const planOf = async (context: Sql, query: ListQuery, folded: string): Promise<Plan | TooWide> => {
  if (query.ids !== undefined) return { sort: true }
  if (folded !== '') return named(context, query, folded)
  const { prefix, tenantIds } = query
  if (tenantIds !== undefined && tenantIds.length > MOST_TENANTS)
    return { sort: await atMost(context, FEW, ownFields({ prefix, tenantIds })) }
  const within = windowOf(query)
  if (within !== undefined)
    return (await atMost(context, FEW_EXPIRED, ownFields({ prefix }), within.narrow)) ? { ...within, sort: true } : WALK
  if (query.statuses?.length !== 1) return WALK
  const [status] = query.statuses
  if (status === 'pending') {
    const narrow = sql<SqlBool>`${sql.ref('tokens.not_before')} > ${query.now}`
    return (await atMost(context, FEW, ownFields({ prefix }), narrow)) ? { narrow, sort: true } : WALK
  }
  if (status !== 'expired') return WALK
  const narrow = sql<SqlBool>`${sql.ref('tokens.expires_at')} <= ${query.now}`
  return (await fewExpired(context, query, narrow)) ? { narrow, by: 'expires_at', sort: true } : WALK
}
