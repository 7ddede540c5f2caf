import type { FeedPage, TokenStore } from '../../store/port.js'

type Segment = { readonly from: string; readonly page: FeedPage; readonly at: number }

const MAX_SEGMENTS = 500
const MAX_ENTRIES = 20_000
/** What was told longer ago is forgotten: whoever is that far behind asks the store. */
const MAX_AGE_MS = 60_000

/** The last pages of the feed, in order and without a gap, from which nodes at different positions are answered. */
export class Tail {
  readonly #reached: TokenStore['reached']
  #segments: Segment[] = []
  /** Where it begins. */
  #start: string
  #end: string
  #entries = 0
  /** Is it unknown what came before it? */
  #broken = false

  constructor(start: string, reached: TokenStore['reached']) {
    this.#start = start
    this.#end = start
    this.#reached = reached
  }

  /** Where to read on. */
  get end(): string {
    return this.#end
  }

  /** Adds a page that was read behind a cursor. An older one than what is known already adds nothing. */
  extend(after: string, page: FeedPage, now: number): void {
    if (page.everything) {
      this.#begin(page.cursor, true)
      return
    }
    // Of two reads that were under way at once, the later one stands for both.
    const at = after === this.#end ? this.#segments.length : this.#segments.findIndex(({ from }) => from === after)
    if (at === -1 || (at < this.#segments.length && !this.#reached(page.cursor, this.#end))) return
    this.#segments = this.#segments.slice(0, at)
    if (page.cursor !== after) this.#segments.push({ from: after, page, at: now })
    this.#end = page.cursor
    this.#forget(now)
  }

  /** Is everything known up to there? */
  covers(cursor: string): boolean {
    return this.#reached(this.#end, cursor)
  }

  /**
   * Answers who stands at `after`, with some entries more than it needs where it stands between two pages. `undefined`: not known here, so that it has to
   * ask the store.
   */
  answer(after: string, limit: number): FeedPage | undefined {
    // Ahead of what was read, or somewhere else altogether.
    if (!this.#reached(this.#end, after)) return undefined
    const at = this.#placeOf(after)
    if (at === undefined) return this.#broken ? { ...nothingBehind(this.#end), everything: true } : undefined
    const taken: FeedPage[] = []
    let left = limit
    for (const { page } of this.#segments.slice(at)) {
      left -= sizeOf(page)
      if (left < 0) break
      taken.push(page)
    }
    const more = taken.length < this.#segments.length - at
    const last = taken.at(-1)
    if (last === undefined) return more ? undefined : nothingBehind(this.#end)
    return {
      cursor: last.cursor,
      ids: taken.flatMap(({ ids }) => ids),
      owners: taken.flatMap(({ owners }) => owners),
      bulk: taken.flatMap(({ bulk }) => bulk),
      everything: false,
      more,
    }
  }

  /** The first segment that somebody at this cursor has not read whole. */
  #placeOf(after: string): number | undefined {
    if (this.#reached(after, this.#end)) return this.#segments.length
    for (let at = this.#segments.length - 1; at >= 0; at -= 1) if (this.#reached(after, this.#segments[at]?.from ?? this.#start)) return at
    return undefined
  }

  #begin(cursor: string, broken: boolean): void {
    this.#segments = []
    this.#start = cursor
    this.#end = cursor
    this.#broken = broken
  }

  #forget(now: number): void {
    this.#entries = this.#segments.reduce((sum, { page }) => sum + sizeOf(page), 0)
    let gone = 0
    for (const { page, at } of this.#segments) {
      const keep = now - at <= MAX_AGE_MS && this.#segments.length - gone <= MAX_SEGMENTS && this.#entries <= MAX_ENTRIES
      if (keep) break
      gone += 1
      this.#entries -= sizeOf(page)
    }
    if (gone === 0) return
    this.#start = this.#segments[gone]?.from ?? this.#end
    this.#segments = this.#segments.slice(gone)
    this.#broken = false
  }
}

function nothingBehind(cursor: string): FeedPage {
  return { cursor, ids: [], owners: [], bulk: [], everything: false, more: false }
}

function sizeOf({ ids, owners, bulk }: FeedPage): number {
  return ids.length + owners.length + bulk.length
}
