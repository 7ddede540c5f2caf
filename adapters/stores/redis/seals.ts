import { StoreMovingError } from '../../../src/errors.js'
import type { SealQuery, StoredSeal } from '../../../src/store/port.js'
import type { Connection } from './connection.js'
import { flagOf, listOf } from './encode.js'
import { scripts } from './scripts.js'

/** Reads one page of seals. */
export async function readSeals(connection: Connection, { prefix, after = 0, order, limit }: SealQuery): Promise<readonly StoredSeal[]> {
  const [from, to] = order === 'newest' ? [-limit, -1] : [after, after + limit - 1]
  const [length, ...bodies] = listOf(await connection.run(scripts.readSeals, [JSON.stringify(prefix), from, to]))
  const first = order === 'newest' ? Number(length) - bodies.length : after
  const page = bodies.map((body, index) => ({ prefix, number: first + index + 1, body: String(body) }))
  return order === 'newest' ? page.reverse() : page
}

/** Adds a seal, unless a seal with its number exists. */
export async function saveSeal(connection: Connection, { prefix, number, body }: StoredSeal): Promise<boolean> {
  const answer = await connection.run(scripts.saveSeal, [JSON.stringify(prefix), number, body])
  if (String(answer) === '-1') throw new StoreMovingError()
  return flagOf(answer)
}
