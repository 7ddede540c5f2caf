import { type Deferred, deferred } from '../store/deferred.js'
import type { TokenFilter } from '../store/port.js'
import type { Background } from '../store/timer.js'

/** How often bulk revocations that match nothing may take effect on the cache. */
const EVERY_MS = 50

type Drops = {
  readonly drop: (filters: readonly TokenFilter[]) => void
  readonly elapsed: () => number
  readonly background: Background
}

/**
 * Drops the entries that match bulk revocations that found nothing to revoke, because another node may have revoked the tokens. Anyone can cause such
 * revocations at any rate, so revocations in quick succession wait and share one drop.
 */
export class SparingDrops {
  readonly #drops: Drops
  #lastAt = Number.NEGATIVE_INFINITY
  #next: { readonly filters: TokenFilter[]; readonly done: Deferred<void> } | undefined

  constructor(drops: Drops) {
    this.#drops = drops
  }

  /** Returns once everything that matches is dropped. */
  async drop(filter: TokenFilter): Promise<void> {
    const { elapsed, background } = this.#drops
    if (this.#next === undefined && elapsed() - this.#lastAt >= EVERY_MS) return this.#visit([filter])
    if (this.#next === undefined) {
      this.#next = { filters: [], done: deferred<void>() }
      background.timer(() => this.#visitForAll(), EVERY_MS)
    }
    this.#next.filters.push(filter)
    await this.#next.done.promise
  }

  #visitForAll(): void {
    const next = this.#next
    this.#next = undefined
    if (next === undefined) return
    this.#visit(next.filters)
    next.done.resolve()
  }

  #visit(filters: readonly TokenFilter[]): void {
    this.#lastAt = this.#drops.elapsed()
    this.#drops.drop(filters)
  }
}
