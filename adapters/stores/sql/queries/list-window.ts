import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import type { ListQuery } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { type GiveWay, MOST } from './list-walk.js'

/** In a window, more tokens than this are not sorted. */
const MOST_SORTED = 100_000

/** The tokens that have an instant within a range, from `from` (inclusive) to `before`. */
export type Window = {
  readonly by: 'expires_at' | 'rotation_due_at'
  readonly from?: number | undefined
  readonly before?: number | undefined
}

/** Returns the window that contains all tokens of a list, if there is one. */
export const windowOf = ({ statuses, expiresFrom, expiresBefore, rotationDue, rotationDueFrom, now }: ListQuery): Window | undefined => {
  // Instants are whole milliseconds.
  if (rotationDue) return { by: 'rotation_due_at', from: rotationDueFrom, before: now + 1 }
  if (expiresFrom !== undefined || expiresBefore !== undefined) return { by: 'expires_at', from: expiresFrom, before: expiresBefore }
  if (statuses?.length === 1 && statuses[0] === 'expired') return { by: 'expires_at', before: now + 1 }
  return rotationDueFrom === undefined ? undefined : { by: 'rotation_due_at', from: rotationDueFrom }
}

/** The columns of each index, in its order. The entries of the first one differ, but those of the second one may be equal. */
const KEYS = { expires_at: ['expires_at', 'state', 'created_at', 'id'], rotation_due_at: ['rotation_due_at'] } as const

/** An entry of an index. */
type Entry = readonly unknown[]

/** A part of a window: the entries from `top` (inclusive) down to `bottom`. */
export type Piece = { readonly top?: Entry | undefined; readonly bottom?: Entry | undefined }

/** Returns the conditions of the tokens in a piece. SQLite can use only one bound on each side, so there are no others. */
export const pieceCondition = (prefix: string, { by, from, before }: Window, { top, bottom }: Piece): Expression<SqlBool> => {
  const at = sql.ref(`tokens.${by}`)
  const key = sql.join(KEYS[by].map((column) => sql.ref(`tokens.${column}`)))
  // The second condition is true for every instant. It tells SQLite that none is null, so that it can use the index, but is not a bound.
  const conditions: RawBuilder<unknown>[] = [sql`${sql.ref('tokens.prefix')} = ${prefix}`, sql`${at} <> 0.5`]
  if (top !== undefined) conditions.push(sql`(${key}) <= (${sql.join(top)})`)
  else if (before !== undefined) conditions.push(sql`${at} < ${before}`)
  if (bottom !== undefined) conditions.push(sql`(${key}) > (${sql.join(bottom)})`)
  else if (from !== undefined) conditions.push(sql`${at} >= ${from}`)
  return sql.join(conditions, sql` and `) as RawBuilder<SqlBool>
}

/** Returns the entry after the first `MOST` ones of a window, or of the rest of a window. */
const bottomOf = async ({ builder, engine }: Sql, prefix: string, window: Window, top: Entry | undefined): Promise<Entry | undefined> => {
  const key = KEYS[window.by].map((column) => sql.ref(`tokens.${column}`))
  const entry = builder
    .selectFrom('tokens')
    .select(key.map((column, index) => column.as(`k${index}`)))
    .where(pieceCondition(prefix, window, { top }))
    .orderBy(sql.join(key.map((column) => sql`${column} desc`)))
    .limit(1)
    .offset(MOST)
  const [row] = (await (engine.read ?? engine.run)(entry.compile())).rows as readonly { readonly [key: string]: unknown }[]
  return row && key.map((_, index) => row[`k${index}`])
}

/**
 * Divides a window into pieces that contain at most `MOST` tokens each. Returns `undefined` if it contains more than `MOST_SORTED` tokens, or cannot be
 * divided, because more than `MOST` entries are equal.
 */
export const piecesOf = async (context: Sql, prefix: string, window: Window, giveWay: GiveWay): Promise<readonly Piece[] | undefined> => {
  const pieces: Piece[] = []
  let top: Entry | undefined
  while (pieces.length * MOST < MOST_SORTED) {
    const bottom = await bottomOf(context, prefix, window, top)
    pieces.push({ top, bottom })
    if (bottom === undefined) return pieces
    if (top?.every((value, index) => value === bottom[index])) return undefined
    top = bottom
    await giveWay()
  }
  return undefined
}
