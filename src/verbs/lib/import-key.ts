import type { TokenRecord } from '../../model/record.js'
import type { Imports } from '../../policy/imports.js'
import type { GuardedStore } from '../../store/guarded-store.js'
import { importId } from './import-run.js'

/** Returns whether a token was imported with a key other than the configured one. If its key is unknown, it counts as the configured one. */
export async function isOfOtherKey(
  store: Pick<GuardedStore, 'events'>,
  imports: Imports | undefined,
  { id, prefix }: Pick<TokenRecord, 'id' | 'prefix'>,
): Promise<boolean> {
  const [event] = await store.events({ prefix, id: importId(id), limit: 1 })
  const keyId = event?.details?.importKey
  return typeof keyId === 'string' && keyId !== imports?.keys.keyId
}
