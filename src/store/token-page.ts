import { InvalidInputError } from '../errors.js'
import type { ListedToken } from '../model/record.js'

/** A store that has no index on names searches at most this many tokens by name, because it must read each of them, which takes seconds if there are more. */
export const MOST_SEARCHED = 100_000

/**
 * A page of tokens. With `tooWide` it is empty, because the search by name would read the names of more than `MOST_SEARCHED` tokens: `text` if the store has
 * an index, which needs a longer text, and `store` if it has none.
 */
export type TokenPage = readonly ListedToken[] & { readonly tooWide?: 'text' | 'store' }

/**
 * Refuses a search that is too wide for its store.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function refuseTooWide(page: readonly unknown[]): void {
  const { tooWide } = page as { readonly tooWide?: unknown }
  if (tooWide === undefined || !Object.hasOwn(page, 'tooWide')) return
  const most = MOST_SEARCHED.toLocaleString('en')
  const problem =
    tooWide === 'text'
      ? `is too short to search more than ${most} tokens: pass at least three characters, or add tenantId, ownerId or createdBy`
      : `this store cannot search more than ${most} tokens by name: add tenantId, ownerId or createdBy, or search by ID`
  throw new InvalidInputError('name', problem)
}
