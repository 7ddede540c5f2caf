import type { FeedPage, OwnerChange, TokenFilter } from '../../../src/store/port.js'

/** An entry of the feed: a changed token or owner, or a filter for changed tokens. If a prefix moves, the feed is truncated instead. */
export type FeedEntry =
  | { readonly tokenId: string }
  | { readonly owner: OwnerChange }
  | { readonly bulk: TokenFilter }
  | { readonly moved: string }

/** The change feed: positions count up from 0, and the newest `history` entries are kept. */
export type Feed = {
  append(entries: readonly FeedEntry[]): void
  /** Discards everything up to a cursor, or everything so far without a cursor or if it is unknown. */
  cut(upTo?: string): void
  read(after: string | undefined, limit: number): FeedPage
  reached(cursor: string, target: string): boolean
  subscribe(wake: () => void): () => void
  /** Removes all subscribers. */
  quiet(): void
}

let feeds = 0

export function createFeed(history: number): Feed {
  // Cursors include the feed's own name, so that a cursor from another store is not mistaken for a position in this feed.
  feeds += 1
  const name = `m${feeds}`
  const entries: FeedEntry[] = []
  const wakes = new Set<{ readonly wake: () => void }>()
  let floor = 0
  let wakeQueued = false

  const end = (): number => floor + entries.length
  const cursorAt = (position: number): string => `${name}.${position}`

  function positionOf(cursor: string): number | undefined {
    const [owner, digits = '', ...rest] = cursor.split('.')
    if (owner !== name || rest.length > 0 || !/^\d{1,15}$/.test(digits)) return undefined
    return Number(digits)
  }

  function wakeAll(): void {
    if (wakeQueued || wakes.size === 0) return
    wakeQueued = true
    // Not inside the commit, because a subscriber reads the feed immediately and must see the whole change.
    queueMicrotask(() => {
      wakeQueued = false
      for (const { wake } of wakes) queueMicrotask(wake)
    })
  }

  return {
    append(added) {
      if (added.length === 0) return
      for (const entry of added) entries.push(entry)
      // Trimmed at twice the history, so that the cost of moving the array is spread over many appends.
      if (entries.length > 2 * history) floor += entries.splice(0, entries.length - history).length
      wakeAll()
    },

    cut(upTo) {
      floor += entries.splice(0, Math.max(0, (positionOf(upTo ?? '') ?? end()) - floor)).length
    },

    read(after, limit) {
      const position = after === undefined ? end() : positionOf(after)
      if (position === undefined || position < floor || position > end()) {
        return { cursor: cursorAt(end()), ids: [], owners: [], bulk: [], everything: true, more: false }
      }
      const page = entries.slice(position - floor, position - floor + limit)
      const next = position + page.length
      return {
        cursor: cursorAt(next),
        ids: page.flatMap((entry) => ('tokenId' in entry ? [entry.tokenId] : [])),
        owners: page.flatMap((entry) => ('owner' in entry ? [entry.owner] : [])),
        bulk: page.flatMap((entry) => ('bulk' in entry ? [entry.bulk] : [])),
        everything: false,
        more: next < end(),
      }
    },

    reached(cursor, target) {
      const here = positionOf(cursor)
      const there = positionOf(target)
      return here !== undefined && there !== undefined && here >= there
    },

    subscribe(wake) {
      const subscription = { wake }
      wakes.add(subscription)
      return () => void wakes.delete(subscription)
    },

    quiet() {
      wakes.clear()
    },
  }
}
