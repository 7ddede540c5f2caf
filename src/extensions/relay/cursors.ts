import type { RelayClock } from './clock.js'

/** How far back a new reader starts, because other nodes may be behind it. */
const BACK_MS = 5_000
const APART_MS = 250
const MOST = 64

/** The recent positions of this node in the feed. */
export class Cursors {
  readonly #clock: RelayClock
  #known: readonly { readonly cursor: string; readonly at: number }[] = []

  constructor(clock: RelayClock) {
    this.#clock = clock
  }

  note(cursor: string): void {
    const now = this.#clock.now()
    const last = this.#known.at(-1)
    if (last !== undefined && (last.cursor === cursor || now - last.at < APART_MS)) return
    this.#known = [...this.#known.slice(1 - MOST), { cursor, at: now }]
  }

  /** Returns the latest position that is old enough. */
  recent(): string | undefined {
    const then = this.#clock.now() - BACK_MS
    return (this.#known.findLast(({ at }) => at <= then) ?? this.#known[0])?.cursor
  }
}
