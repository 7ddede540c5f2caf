import type { Filtered } from '../store/compile-filter.js'
import type { Background } from '../store/timer.js'

/** How many comparisons of a token with a bulk change are made before other work runs. */
const COMPARED_A_TURN = 2_000

type Matches = (token: Filtered) => boolean

/** Watches by ID, each with the tokens that it is about. */
type Watches = ReadonlyMap<string, { readonly about: ReadonlyMap<string, Filtered> }>

export type Searching = {
  readonly background: Background
  /** The pause after each search for the watches that bulk changes affect. */
  readonly pauseMs: number
}

/**
 * Finds the watches that bulk changes affect. Anyone who may revoke several tokens at once can cause bulk changes at any rate, and a search for each of them would
 * take up the event loop, so those that arrive during a search or the pause after it share the next search.
 */
export class AffectedWatches {
  readonly #watches: Watches
  readonly #searching: Searching
  readonly #found: (id: string) => void
  #bulk: Matches[] = []
  #isSearching = false

  constructor(watches: Watches, searching: Searching, found: (id: string) => void) {
    this.#watches = watches
    this.#searching = searching
    this.#found = found
  }

  /** Reports the watches about a token that matches. */
  find(matches: Matches): void {
    if (this.#watches.size === 0) return
    this.#bulk.push(matches)
    if (this.#isSearching) return
    this.#isSearching = true
    void this.#searching.background.run(() => this.#search())
  }

  async #search(): Promise<void> {
    while (this.#bulk.length > 0) {
      const bulk = this.#bulk
      this.#bulk = []
      let compared = 0
      for (const [id, { about }] of this.#watches) {
        if (isAffected(about, bulk)) this.#found(id)
        compared += about.size * bulk.length
        if (compared < COMPARED_A_TURN) continue
        compared = 0
        await this.#pause(0)
      }
      await this.#pause(this.#searching.pauseMs)
    }
    this.#isSearching = false
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#searching.background.timer(resolve, ms))
  }
}

function isAffected(about: ReadonlyMap<string, Filtered>, bulk: readonly Matches[]): boolean {
  for (const token of about.values()) for (const matches of bulk) if (matches(token)) return true
  return false
}
