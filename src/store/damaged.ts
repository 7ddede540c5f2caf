import { StoreUnavailableError } from '../errors.js'
import type { ListedEvent } from '../model/event.js'
import type { DamagedEvent, DamagedToken } from '../model/health.js'
import { ownFields } from '../model/own-fields.js'
import type { ListedToken } from '../model/record.js'
import type { ListQuery } from './port.js'
import { readWhole, unreadableFields } from './read-stored.js'
import type { Report } from './reporter.js'
import { refuseTooWide } from './token-page.js'

type Place = { readonly createdAt: number; readonly id: string }

const MOST = 100
/** The maximum number of rows that a store returns at once. */
const MOST_ROWS = 1001

/** The damaged rows found so far: each one once, up to a bound. */
class Found<K, V> {
  readonly #byKey: Map<K, V> = new Map()

  get all(): readonly V[] {
    return [...this.#byKey.values()]
  }

  /** Returns whether it was unknown before. */
  note(key: K, damaged: V): boolean {
    if (this.#byKey.has(key) || this.#byKey.size === MOST) return false
    this.#byKey.set(key, damaged)
    return true
  }
}

/** The damaged events that this node has read. Each is reported once. */
export class DamagedEvents {
  readonly #report: Report
  readonly #found: Found<number, DamagedEvent> = new Found()

  constructor(report: Report) {
    this.#report = report
  }

  get found(): readonly DamagedEvent[] {
    return this.#found.all
  }

  /** Records the damaged events on a page, and returns the page. */
  look<Page extends readonly ListedEvent[]>(page: Page): Page {
    for (const { id, seq, damaged } of page) {
      if (damaged === undefined || !this.#found.note(seq, { id, seq, fields: [...damaged] })) continue
      const what = `event ${id} of the audit log, at position ${seq}, is damaged in the store`
      this.#report('store.events', new StoreUnavailableError(`${what}: ${damaged.join(', ')} cannot be read. See verifyAudit()`))
    }
    return page
  }
}

/** Called with each row that cannot be read: the part that the store returned, at least its ID. */
export type OnDamagedToken = (row: Partial<ListedToken> & { readonly id: string }, fields: readonly string[]) => void

/** The rows of tokens that this node could not read. Each is reported once. */
export class DamagedTokens {
  readonly #report: Report
  readonly #storeName: string
  readonly #found: Found<string, DamagedToken> = new Found()

  constructor(report: Report, storeName: string) {
    this.#report = report
    this.#storeName = storeName
  }

  get found(): readonly DamagedToken[] {
    return this.#found.all
  }

  /** Records that a row cannot be read. Returns whether that was unknown before. */
  note(id: string, fields: readonly string[]): boolean {
    return this.#found.note(id, { id, fields: [...fields] })
  }

  /**
   * Returns a page of readable tokens. Continues past damaged rows, so that a page is shorter than its limit only at the end of the list.
   *
   * @throws InvalidInputError `invalid_input`, if the store cannot search that many tokens by name
   * @throws StoreUnavailableError `store_unavailable`, if the store returns something without an ID, or a thousand rows whose position is unreadable
   */
  async page(
    query: ListQuery,
    read: (query: ListQuery) => Promise<readonly unknown[]>,
    onDamaged?: OnDamagedToken,
  ): Promise<readonly ListedToken[]> {
    const tokens: ListedToken[] = []
    let from = ownFields(query)
    let placeless = 0
    for (;;) {
      const limit = Math.min(query.limit - tokens.length + placeless, MOST_ROWS)
      const rows = await read({ ...from, limit })
      refuseTooWide(rows)
      const last = rows.findLast(hasPlace)
      // A caller that continues after its last row would otherwise read the same page forever.
      if (from.after !== undefined && last !== undefined && !comesAfter(last, from.after)) throw this.#outOfOrder()
      const damaged = rows.filter((row) => !this.#take(row, tokens, onDamaged))
      if (damaged.length === 0 || rows.length < limit || tokens.length >= query.limit) return tokens.slice(0, query.limit)
      const after = last
      placeless = after === undefined ? rows.length : 0
      // Otherwise this would continue forever.
      if (placeless === MOST_ROWS || (after !== undefined && after.id === from.after?.id)) {
        throw new StoreUnavailableError(`the ${this.#storeName} store's list cannot be continued past damaged tokens`)
      }
      if (after !== undefined) from = ownFields({ ...query, after: { createdAt: after.createdAt, id: after.id } })
    }
  }

  #outOfOrder(): StoreUnavailableError {
    return new StoreUnavailableError(`the ${this.#storeName} store's list() returned tokens that do not come after the last page`)
  }

  /** Returns whether the row could be read. */
  #take(row: unknown, tokens: ListedToken[], onDamaged: OnDamagedToken | undefined): boolean {
    const token = readWhole<ListedToken>(row)
    if (token !== undefined) return tokens.push(token) > 0
    const fields = unreadableFields(row)
    const id: unknown = Reflect.get(Object(row), 'id')
    if (typeof id !== 'string')
      throw new StoreUnavailableError(`the ${this.#storeName} store returned something that is not a token record`)
    if (this.note(id, fields)) this.#report('store.list', damagedToken(id, fields))
    onDamaged?.({ ...Object(row), id }, fields)
    return false
  }
}

/** Returns the error about a token whose row cannot be read. */
export function damagedToken(id: string, fields: readonly string[]): StoreUnavailableError {
  return new StoreUnavailableError(
    `token ${id} is damaged in the store: ${fields.join(', ')} cannot be read. It is refused, and no list contains it`,
  )
}

function comesAfter(row: Place, place: Place): boolean {
  return row.createdAt < place.createdAt || (row.createdAt === place.createdAt && row.id < place.id)
}

function hasPlace(row: unknown): row is Place {
  const { createdAt, id } = Object(row) as { readonly createdAt?: unknown; readonly id?: unknown }
  return typeof createdAt === 'number' && Number.isFinite(createdAt) && typeof id === 'string'
}
