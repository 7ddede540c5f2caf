import { InvalidInputError } from '../errors.js'
import type { ListedToken } from '../model/record.js'

/** A store that has no index for a search by name looks among at most this many tokens: it must read each name, which takes seconds if there are more. */
export const MOST_SEARCHED = 100_000

/**
 * A page of tokens. With `tooWide` it is empty, because the search by name would read the names of more than `MOST_SEARCHED` tokens: `text` if the store has
 * an index, which needs a longer text, and `store` if it has none.
 */
export type TokenPage = readonly ListedToken[] & { readonly tooWide?: 'text' | 'store' }

const MOST = MOST_SEARCHED.toLocaleString('en')
const BY_TEXT = `is too short to look for among more than ${MOST} tokens: write at least three characters, or add tenantId, ownerId or createdBy`
const BY_STORE = `cannot be looked for among more than ${MOST} tokens in this store: add tenantId, ownerId or createdBy, or search by id`

/**
 * Refuses a search that is too wide for its store.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function refuseTooWide(page: readonly unknown[]): void {
  const { tooWide } = page as { readonly tooWide?: unknown }
  if (tooWide !== undefined) throw new InvalidInputError('name', tooWide === 'text' ? BY_TEXT : BY_STORE)
}
