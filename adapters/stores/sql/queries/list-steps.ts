import { type Expression, type SqlBool, sql } from 'kysely'
import { ownFields } from '../../../../src/model/own-fields.js'
import type { ListedToken } from '../../../../src/model/record.js'
import type { ListQuery, TokenPage } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { hidden } from './filter.js'
import { readPage } from './list-page.js'
import { named, type Plan, type TooWide } from './list-plan.js'
import {
  comparePlaces,
  createGiveWay,
  type GiveWay,
  groupsOf,
  hasShortWalk,
  isUpTo,
  MOST,
  stretchCondition,
  stretches,
  withTokens,
} from './list-walk.js'
import { type Piece, pieceCondition, piecesOf, type Window, windowOf } from './list-window.js'

/** Up to this many rows of an index are sorted. */
const FEW = 2_000
/** At most one in 3,844 IDs begins with two given characters. */
const SELECTIVE = 2

/** A list, and the text to search for in names. */
type Asked = { readonly query: ListQuery; readonly folded: string }

/** Returns the condition of a narrow index that finds all tokens of a list, and how many of them may be sorted. */
const narrowOf = ({ prefix, idStartsWith = '', rootId, statuses, now }: ListQuery) => {
  const [id, ofPrefix] = [sql.ref('tokens.id'), sql<SqlBool>`${sql.ref('tokens.prefix')} = ${prefix}`]
  if (idStartsWith.length >= SELECTIVE)
    return { narrow: sql<SqlBool>`${id} >= ${idStartsWith} and ${id} < ${`${idStartsWith}{`}`, most: MOST }
  if (rootId !== undefined) return { narrow: sql<SqlBool>`${ofPrefix} and ${sql.ref('tokens.root_id')} = ${rootId}`, most: FEW }
  if (statuses?.length === 1 && statuses[0] === 'pending') {
    return { narrow: sql<SqlBool>`${ofPrefix} and ${sql.ref('tokens.not_before')} > ${now}`, most: FEW }
  }
  return undefined
}

const areAtMost = async ({ builder, engine }: Sql, most: number, narrow: Expression<SqlBool>): Promise<boolean> => {
  const another = builder.selectFrom('tokens').select('id').where(narrow).limit(1).offset(most)
  return (await (engine.read ?? engine.run)(another.compile())).rows.length === 0
}

/** Returns how to find all tokens of a list at once, if they are few. */
const sortedPlan = async (context: Sql, { query, folded }: Asked): Promise<Plan | TooWide | undefined> => {
  if (query.ids !== undefined) return { sort: true, hide: true }
  const found = narrowOf(query)
  if (found !== undefined && (await areAtMost(context, found.most, found.narrow))) return { sort: true, hide: true, narrow: found.narrow }
  if (folded === '') return undefined
  const plan = await named(context, query, folded)
  return typeof plan === 'string' || plan.sort ? plan : undefined
}

/** Adds tokens to a page, in list order. A token that changed in the meantime may have been found twice. */
const merge = (page: readonly ListedToken[], found: readonly ListedToken[], limit: number): readonly ListedToken[] => {
  if (page.length === 0) return found
  return [...new Map([...page, ...found].map((token) => [token.id, token])).values()].sort(comparePlaces).slice(0, limit)
}

/** Reads a page from the tokens in a window, which are not in list order. */
const readPieces = async (
  context: Sql,
  { query, folded }: Asked,
  window: Window,
  pieces: readonly Piece[],
  giveWay: GiveWay,
): Promise<TokenPage> => {
  let page: readonly ListedToken[] = []
  for (const piece of pieces) {
    await giveWay()
    const last = page[query.limit - 1]
    const within = pieceCondition(query.prefix, window, piece)
    const narrow = last === undefined ? within : sql<SqlBool>`${within} and ${isUpTo(last, hidden)}`
    page = merge(page, await readPage(context, [{ query, folded, plan: { sort: true, hide: true, by: window.by, narrow } }]), query.limit)
  }
  return page
}

/** Reads a page from some tenants, or from all of them, in list order. With `last`, only tokens up to that one are needed. */
const readStretches = async (
  context: Sql,
  { query, folded }: Asked,
  last: ListedToken | undefined,
  giveWay: GiveWay,
): Promise<TokenPage> => {
  const page: ListedToken[] = []
  for await (const stretch of stretches(context, query, query.limit, giveWay)) {
    const ends = last !== undefined && (stretch.edge === undefined || comparePlaces(last, stretch.edge) <= 0)
    const part = ends ? { ...stretch, edge: last } : stretch
    const { column, values } = stretch.walk
    const rest = ownFields({ ...query, limit: query.limit - page.length })
    const parts = values.map((value) => ({
      query: column === 'tenant_id' ? ownFields({ ...rest, tenantIds: [value] }) : rest,
      folded,
      plan: { sort: false, hide: true, narrow: stretchCondition(query.prefix, part, value) } as const,
    }))
    page.push(...(await readPage(context, parts)))
    if (ends || page.length >= query.limit) break
  }
  return page
}

/**
 * Reads one page of tokens on SQLite, in statements that examine a limited number of tokens each.
 *
 * Each statement finds its tokens through one index, which is chosen here: all other conditions are hidden from SQLite.
 */
export const listInSteps = async (context: Sql, query: ListQuery, folded: string): Promise<TokenPage> => {
  const asked = { query, folded }
  const plan = await sortedPlan(context, asked)
  if (typeof plan === 'string') return Object.assign([], { tooWide: plan })
  if (plan !== undefined) return readPage(context, [{ ...asked, plan }])
  const giveWay = createGiveWay()
  const window = windowOf(query)
  if (window !== undefined && !(await hasShortWalk(context, query))) {
    const pieces = await piecesOf(context, query.prefix, window, giveWay)
    if (pieces !== undefined) return readPieces(context, asked, window, pieces, giveWay)
  }
  let page: readonly ListedToken[] = []
  for (const group of groupsOf(await withTokens(context, query, giveWay))) {
    const found = await readStretches(context, { query: group, folded }, page[query.limit - 1], giveWay)
    page = merge(page, found, query.limit)
  }
  return page
}
