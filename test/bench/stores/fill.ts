import type { StoredToken } from '../../../src/model/record.js'
import type { TokenStore } from '../../../src/store/port.js'

/** The prefix of the benchmark's tokens. */
export const PREFIX = 'bench'
/** The creation time of the oldest token. Each later token is one second younger. */
export const START = 1_700_000_000_000

const BATCH = 1_000
const WORDS = ['integration', 'warehouse', 'billing', 'export', 'mobile', 'partner', 'staging', 'nightly', 'import', 'webhook']

/** The ID of the token with this number, spread like random IDs. */
export const idOf = (index: number): string =>
  `${((index * 2_654_435_761) % 4_294_967_296).toString(36).padStart(7, '0')}${index.toString(36).padStart(9, '0')}`

/** A third of the tokens belong to one large tenant, the others to a thousand small ones. */
export const tenantOf = (index: number): string => (index % 3 === 0 ? 'large' : `tenant ${(index * 7) % 1_000}`)

/** A common word in every name, one word in every tenth, and a rare word in one of a hundred thousand. */
const nameOf = (index: number): string =>
  `${WORDS[index % WORDS.length]} token ${index}${index % 100_000 === 77 ? ' needle' : ''} ${WORDS[(index * 7) % 10]}`

const tokenOf = (index: number, total: number): StoredToken => {
  const createdAt = START + index * 1_000
  return {
    id: idOf(index),
    version: 1,
    prefix: PREFIX,
    digest: index.toString(16).padStart(64, '0'),
    name: nameOf(index),
    tenantId: tenantOf(index),
    ownerId: `owner ${index % 5_000}`,
    scopes: ['inventory:read', 'inventory:write'],
    createdAt,
    createdBy: `user ${index % 100}`,
    updatedAt: createdAt,
    // One in a hundred is revoked and one in ten thousand is inactive. The oldest tenth has expired; the others expire far in the future or
    // never.
    ...(index % 100 === 5 ? { revokedAt: createdAt + 1, revokedBy: 'admin' } : {}),
    ...(index % 10_000 === 9 ? { deactivatedAt: createdAt + 1, deactivatedBy: 'admin' } : {}),
    ...(index < total / 10 ? { expiresAt: START + total * 500 } : index % 2 === 0 ? { expiresAt: START + total * 2_000 } : {}),
  }
}

/** Fills a store up to this number of tokens, through its own `commit`. */
export const fill = async (store: TokenStore, from: number, total: number): Promise<void> => {
  for (let at = from; at < total; at += BATCH) {
    const inserts = Array.from({ length: Math.min(BATCH, total - at) }, (_, index) => tokenOf(at + index, total))
    const id = `fill-${at}-${total}`
    const result = await store.commit({
      inserts,
      events: [{ id, at: START, action: 'token.created', prefix: PREFIX, actorId: 'bench', count: BATCH }],
    })
    if (!result.ok) throw new Error(`conflict on ${result.conflict}`)
  }
}
