import type { MaybePromise } from '../model/json.js'
import type { Filtered } from '../store/compile-filter.js'
import { BoundedMap } from './bounded-map.js'
import { Counts } from './lookup-shares.js'

/** The maximum number of tokens in host transactions that may still be open. */
const MAX_EXPECTED = 10_000

type Matches = (token: Filtered) => boolean

/** The tokens whose state may be about to change without notice. The results of reading them are not cached. */
export class Unsettled {
  /** The tokens that open host transactions may create, and the number of calls that tried to create each. */
  readonly #expected: BoundedMap<{ visited: boolean; calls: number }> = new BoundedMap(MAX_EXPECTED)
  /** The tokens that are being changed, and the number of changes under way for each. */
  readonly #changing: Counts = new Counts()
  readonly #bulks: Set<Matches> = new Set()

  /** Expects a host transaction to create this token. */
  expect(id: string): void {
    const expected = this.#expected.get(id)
    if (expected === undefined) this.#expected.set(id, { visited: false, calls: 1 })
    else expected.calls += 1
  }

  /** Undoes one call to `expect`, because nothing was created. */
  expectNot(id: string): void {
    const expected = this.#expected.get(id)
    if (expected === undefined) return
    expected.calls -= 1
    if (expected.calls === 0) this.#expected.delete(id)
  }

  /** Records that the creation of this token has been committed. */
  committed(id: string): void {
    this.#expected.delete(id)
  }

  /** Calls `ended` in the same step in which the change is over, so that a read that began earlier cannot be cached in between. */
  async during<T>(ids: readonly string[], change: () => MaybePromise<T>, ended: () => void): Promise<T> {
    for (const id of ids) this.#changing.add(id)
    try {
      return await change()
    } finally {
      for (const id of ids) this.#changing.remove(id)
      ended()
    }
  }

  /** Like `during`, for all tokens that match. */
  async duringBulk<T>(matches: Matches, change: () => MaybePromise<T>, ended: () => void): Promise<T> {
    this.#bulks.add(matches)
    try {
      return await change()
    } finally {
      this.#bulks.delete(matches)
      ended()
    }
  }

  /** `token`: its record, if it is known. */
  includes(id: string, token?: Filtered): boolean {
    if (this.#expected.get(id) !== undefined || this.#changing.of(id) > 0) return true
    if (token !== undefined) for (const matches of this.#bulks) if (matches(token)) return true
    return false
  }
}
