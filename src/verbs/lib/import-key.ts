import type { GuardedStore } from '../../store/guarded-store.js'
import { importId } from './import-run.js'

/** Returns the `keyId` of the key that a token was imported with; `undefined` if it is unknown. */
export async function importKeyOf(store: Pick<GuardedStore, 'events'>, prefix: string, tokenId: string): Promise<string | undefined> {
  const [event] = await store.events({ prefix, id: importId(tokenId), limit: 1 })
  const keyId = event?.details?.importKey
  return typeof keyId === 'string' ? keyId : undefined
}
