import { compileFilters, type Filtered } from '../store/compile-filter.js'
import type { TokenFilter } from '../store/port.js'
import type { Background } from '../store/timer.js'

/** How many tokens are compared with the bulk changes before other work runs. */
const COMPARED_A_TURN = 2_000

/** Watches by ID, each with the tokens that it is about. */
type Watches = ReadonlyMap<string, { readonly about: ReadonlyMap<string, Filtered> }>

export type Searching = {
  readonly background: Background
  /** The pause after each search for the watches that bulk changes affect. */
  readonly pauseMs: number
}

/**
 * Finds the watches that bulk changes affect. Anyone who may revoke several tokens at once can cause bulk changes at any rate, and a search for each of them would
 * take up the event loop, so those that arrive during a search or the pause after it share the next search. Its work does not grow with their number.
 */
export class AffectedWatches {
  readonly #watches: Watches
  readonly #searching: Searching
  readonly #found: (id: string) => void
  #bulk: TokenFilter[] = []
  #isSearching = false

  constructor(watches: Watches, searching: Searching, found: (id: string) => void) {
    this.#watches = watches
    this.#searching = searching
    this.#found = found
  }

  /** Reports the watches about a token that matches one of these filters. */
  find(filters: readonly TokenFilter[]): void {
    if (this.#watches.size === 0) return
    for (const filter of filters) this.#bulk.push(filter)
    if (this.#isSearching) return
    this.#isSearching = true
    void this.#searching.background.run(() => this.#search())
  }

  async #search(): Promise<void> {
    while (this.#bulk.length > 0) {
      const matches = compileFilters(this.#bulk)
      this.#bulk = []
      let compared = 0
      for (const [id, { about }] of this.#watches) {
        if (isAffected(about, matches)) this.#found(id)
        compared += about.size
        if (compared < COMPARED_A_TURN) continue
        compared = 0
        await this.#searching.background.pause(0)
      }
      await this.#searching.background.pause(this.#searching.pauseMs)
    }
    this.#isSearching = false
  }
}

function isAffected(about: ReadonlyMap<string, Filtered>, matches: (token: Filtered) => boolean): boolean {
  for (const token of about.values()) if (matches(token)) return true
  return false
}
