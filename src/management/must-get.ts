import { NotFoundError } from '../errors.js'
import type { TokenHandle } from '../instance.js'
import type { TokenRecord } from '../model/record.js'

/**
 * Returns the record of a token that the actor can see.
 *
 * @throws NotFoundError `not_found`
 */
export async function mustGet(handle: TokenHandle, id: string): Promise<TokenRecord> {
  const record = await handle.get(id)
  if (record === undefined) throw new NotFoundError(id)
  return record
}
