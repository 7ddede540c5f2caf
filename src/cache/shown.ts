const MAX_SHOWN = 10_000

/** The feed, as far as it has been read. */
type Feed = {
  /** Returns the position of a read that began after this instant, if there was one. */
  positionSince(instant: number): string | undefined
}

/**
 * The tokens that callers were shown in a state that this node's position in the feed may not include yet, because another node wrote it. A replica that has only
 * reached that position may be older.
 */
export class Shown {
  readonly #feed: Feed
  readonly #shownAt: Map<string, number> = new Map()

  constructor(feed: Feed) {
    this.#feed = feed
  }

  /** Returns `false` if there are too many to tell them apart. */
  add(id: string, now: number): boolean {
    const fits = this.#shownAt.size < MAX_SHOWN
    if (!fits) this.#shownAt.clear()
    this.#shownAt.set(id, now)
    return fits
  }

  /** Whether a record of this token must be newer than the position in the feed. */
  isAhead(id: string): boolean {
    const at = this.#shownAt.get(id)
    if (at === undefined) return false
    const isAhead = this.#feed.positionSince(at) === undefined
    if (!isAhead) this.#shownAt.delete(id)
    return isAhead
  }
}
