import type { ConsumerState } from '../store/port.js'

/** How soon what was read is read again. */
const READ_EVERY_MS = 1_000

/** Something in the store that is read once a second for all on this node who look at it, however many they are. */
export class SharedRead<T> {
  readonly #read: () => Promise<T>
  readonly #monotonic: () => number
  #last: Promise<T> | undefined
  #lastAt = Number.NEGATIVE_INFINITY
  #underWay = false

  constructor(read: () => Promise<T>, monotonic: () => number) {
    this.#read = read
    this.#monotonic = monotonic
  }

  /** What is there now. */
  async now(): Promise<T> {
    const last = this.#read()
    this.#last = last
    this.#lastAt = this.#monotonic()
    this.#underWay = true
    try {
      return await last
    } finally {
      if (this.#last === last) this.#underWay = false
    }
  }

  /** What was there a second ago at most, or what a read that is under way finds. */
  async recent(): Promise<T> {
    return await (this.#last !== undefined && (this.#underWay || this.#leftMs > 0) ? this.#last : this.now())
  }

  /** When those who wait look again: all together, as soon as what was read last is too old. */
  get lookInMs(): number {
    return this.#leftMs > 0 ? this.#leftMs : READ_EVERY_MS
  }

  get #leftMs(): number {
    return Math.ceil(this.#lastAt + READ_EVERY_MS - this.#monotonic())
  }
}

/** What the consumers of a node look at in the store. */
export type ConsumerReads = {
  /** The rows of all consumers. */
  readonly rows: SharedRead<readonly ConsumerState[]>
  /** The `seq` of the newest event, once those of the host's transactions have theirs; 0 where there is none. */
  readonly newest: SharedRead<number>
}
