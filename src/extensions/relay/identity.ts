import { bytesToHex } from '../../audit/hash.js'
import type { TokenStore } from '../../store/port.js'
import { platformRandom } from '../../token/random.js'

/** Stored among the consumers, under a prefix that no tokens have. */
const PREFIX = 'latchkey.relay'
const NAME = 'identity'
const TRIES = 5

/** Returns a random name that is assigned to a store once. Nodes on different stores therefore never mistake each other's feed for their own. */
export async function identityOf(store: TokenStore): Promise<string> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const known = (await store.consumers(PREFIX)).find(({ name }) => name === NAME)?.holder
    if (known !== undefined) return known
    await store.saveConsumer({ prefix: PREFIX, name: NAME, version: 1, position: 0, holder: bytesToHex(platformRandom(16)) })
  }
  throw new Error(`the ${store.name} store did not keep the row that identifies it`)
}
