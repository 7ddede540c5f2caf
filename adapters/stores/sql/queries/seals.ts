import type { SealQuery, StoredSeal } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { wide } from '../schema/wide.js'

/** One page of seals. */
export const seals = async ({ builder, engine }: Sql, { prefix, after = 0, order, limit }: SealQuery): Promise<readonly StoredSeal[]> => {
  const page = builder
    .selectFrom('seals')
    .selectAll()
    .where('prefix', '=', prefix)
    .where('number', '>', after)
    .orderBy('number', order === 'newest' ? 'desc' : 'asc')
    .limit(limit)
  const { rows } = await engine.run(page.compile())
  return rows.map(({ number, body }) => ({ prefix, number: wide(number), body }))
}

/** Adds a seal, unless a seal with its number exists. */
export const saveSeal = async (sql: Sql, { prefix, number, body }: StoredSeal): Promise<boolean> => {
  const [newest] = await seals(sql, { prefix, order: 'newest', limit: 1 })
  if (number !== (newest?.number ?? 0) + 1) return false
  try {
    await sql.engine.run(sql.builder.insertInto('seals').values({ prefix, number, body }).compile())
    return true
  } catch (error) {
    if (sql.quirks.faultOf(error) === 'duplicate') return false
    throw error
  }
}
