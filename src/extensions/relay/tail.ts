import type { FeedPage, TokenStore } from '../../store/port.js'

type Segment = { readonly from: string; readonly page: FeedPage; readonly at: number }

const MAX_SEGMENTS = 500
const MAX_ENTRIES = 20_000
/** Older pages are dropped. A node that is further behind queries the store. */
const MAX_AGE_MS = 60_000

/** The latest pages of the feed, in order and without gaps. Nodes at different positions are answered from them. */
export class Tail {
  readonly #reached: TokenStore['reached']
  #segments: Segment[] = []
  /** The position where it begins. */
  #start: string
  #end: string
  #entries = 0
  /** Whether the entries before it are unknown. */
  #broken = false

  constructor(start: string, reached: TokenStore['reached']) {
    this.#start = start
    this.#end = start
    this.#reached = reached
  }

  /** The position from which to continue reading. */
  get end(): string {
    return this.#end
  }

  /** Adds a page that was read after a cursor. A page that is older than the known pages adds nothing. */
  extend(after: string, page: FeedPage, now: number): void {
    if (page.everything) {
      this.#begin(page.cursor, true)
      return
    }
    // Of two concurrent reads, the one that reached further replaces the other.
    const at = after === this.#end ? this.#segments.length : this.#segments.findIndex(({ from }) => from === after)
    if (at === -1 || (at < this.#segments.length && !this.#reached(page.cursor, this.#end))) return
    this.#segments = this.#segments.slice(0, at)
    if (page.cursor !== after) this.#segments.push({ from: after, page, at: now })
    this.#end = page.cursor
    this.#forget(now)
  }

  /** Checks whether everything up to this position is known. */
  covers(cursor: string): boolean {
    return this.#reached(this.#end, cursor)
  }

  /**
   * Returns the page after `after`. For a position within a page, it includes some entries that the node already has. Returns `undefined` if the position is
   * not covered, so the node must query the store.
   */
  answer(after: string, limit: number): FeedPage | undefined {
    // The position is ahead of the pages that were read, or belongs to a different feed.
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

  /** Finds the first segment that a node at this cursor has not read completely. */
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
