import { StoreUnavailableError } from '../errors.js'
import type { StoredToken } from '../model/record.js'
import { damagedToken } from './damaged.js'
import { readStored, unreadableFields } from './read-stored.js'

type OnCorrupt = (id: string, fields: readonly string[], error: unknown) => void

/**
 * The records that a store returned for the requested IDs.
 *
 * A corrupt record causes an error only for the callers that need that record, because many tokens share one read.
 */
export class FoundRecords {
  readonly #rows: Map<string, unknown> = new Map()
  readonly #storeName: string
  readonly #report: OnCorrupt

  /** @throws StoreUnavailableError `store_unavailable`, if a row was not requested, because the other rows cannot be trusted either */
  constructor(rows: readonly unknown[], ids: readonly string[], storeName: string, report: OnCorrupt) {
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
   * Returns the record with this ID, or `undefined` if there is none.
   *
   * @throws StoreUnavailableError `store_unavailable`, if the record is corrupt
   */
  get(id: string): StoredToken | undefined {
    try {
      return this.#rows.has(id) ? readStored<StoredToken>(this.#rows.get(id), this.#storeName) : undefined
    } catch {
      throw this.#corrupt(id)
    }
  }

  /**
   * Returns the record with this ID if all of it could be read. For a decision, the rest of a damaged record is enough, because it is refused.
   *
   * Returns `undefined` to a caller that, judging by the rest of a damaged record, must not know of it.
   *
   * @throws StoreUnavailableError `store_unavailable`
   */
  whole(id: string, mayKnow: (row: Partial<StoredToken>) => boolean = () => true): StoredToken | undefined {
    const row = this.#rows.get(id)
    if (row === undefined || unreadableFields(row).length === 0) return this.get(id)
    const error = this.#corrupt(id)
    if (mayKnow({ ...Object(row) })) throw error
    return undefined
  }

  #corrupt(id: string): StoreUnavailableError {
    const fields = unreadableFields(this.#rows.get(id))
    const error = damagedToken(id, fields)
    this.#report(id, fields, error)
    return error
  }
}
