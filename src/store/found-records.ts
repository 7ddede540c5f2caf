import { StoreUnavailableError } from '../errors.js'
import type { StoredToken } from '../model/record.js'
import { readStored } from './read-stored.js'

/**
 * Records that a store found for the ids that it was asked for.
 *
 * A record that cannot be read is a fault for whoever asks for that one: reads of many tokens share a call, and one corrupt row must not
 * refuse them all.
 */
export class FoundRecords {
  readonly #rows: Map<string, unknown> = new Map()
  readonly #storeName: string
  readonly #report: (error: unknown) => void

  /** @throws StoreUnavailableError `store_unavailable`, for a row that nobody asked for: the others cannot be believed either */
  constructor(rows: readonly unknown[], ids: readonly string[], storeName: string, report: (error: unknown) => void) {
    this.#storeName = storeName
    this.#report = report
    const asked = new Set(ids)
    for (const row of rows) {
      const id: unknown = Reflect.get(Object(row), 'id')
      if (typeof id !== 'string' || !asked.has(id)) {
        throw new StoreUnavailableError(`the ${storeName} store's find() returned something that was not requested`)
      }
      this.#rows.set(id, row)
    }
  }

  /**
   * The record of an id, or `undefined` where there is none.
   *
   * @throws StoreUnavailableError `store_unavailable`, for a record that cannot be decided by
   */
  get(id: string): StoredToken | undefined {
    try {
      return this.#rows.has(id) ? readStored<StoredToken>(this.#rows.get(id), this.#storeName) : undefined
    } catch (error) {
      this.#report(error)
      throw error
    }
  }
}
