import type { SealQuery, StoredSeal } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import { wide } from '../schema/wide.js'
import { refuseFenced } from './moves.js'

const pageOf = ({ builder }: Sql, { prefix, after = 0, order, limit }: SealQuery) =>
  builder
    .selectFrom('seals')
    .selectAll()
    .where('prefix', '=', prefix)
    .where('number', '>', after)
    .orderBy('number', order === 'newest' ? 'desc' : 'asc')
    .limit(limit)

/** Reads one page of seals. */
export const seals = async (sql: Sql, query: SealQuery): Promise<readonly StoredSeal[]> => {
  const { rows } = await (sql.engine.read ?? sql.engine.run)(pageOf(sql, query).compile())
  return rows.map(({ number, body }) => ({ prefix: query.prefix, number: wide(number), body }))
}

function* steps(sql: Sql, seal: StoredSeal): Steps<boolean> {
  const { builder, quirks } = sql
  // Every change takes this lock, as do other seals and the fence of a move.
  yield* quirks.bump(builder, 0)
  yield* refuseFenced(sql, seal.prefix)
  const { rows } = yield* ask(pageOf(sql, { prefix: seal.prefix, order: 'newest', limit: 1 }))
  if (seal.number !== wide(rows[0]?.number ?? 0) + 1) return false
  yield* ask(builder.insertInto('seals').values(seal))
  return true
}

/** Adds a seal, unless a seal with its number exists. */
export const saveSeal = (sql: Sql, { prefix, number, body }: StoredSeal): Promise<boolean> =>
  Promise.resolve(sql.engine.transaction(() => steps(sql, { prefix, number, body })))
