import type { Filtered } from '../store/compile-filter.js'
import type { Entry } from './entry.js'

/** For a token that was imported in several formats, the other tokens with the same secret, which stop being valid together with it. */
const endingTogether: WeakMap<Entry, readonly Filtered[]> = new WeakMap()

/** Makes the signals of this entry also fire when one of `others` ends. Replaces the tokens of an earlier call. */
export function endTogether(entry: Entry, others: readonly Entry[]): void {
  if (others.length > 0) endingTogether.set(entry, others.map(filteredOf))
  else endingTogether.delete(entry)
}

/** Returns the tokens that also end this entry when they end. */
export function endingWith(entry: Entry): readonly Filtered[] {
  return endingTogether.get(entry) ?? []
}

/** Returns the IDs of the tokens that also end this entry when they end. */
export function endsWith(entry: Entry): readonly string[] {
  return endingWith(entry).map(({ id }) => id)
}

/** Copies only the required fields, because the entry may leave the cache long before the work ends. */
export function filteredOf({ id, tenantId, ownerId, createdBy, rootId }: Filtered): Filtered {
  return { id, tenantId, ownerId, createdBy, rootId }
}
