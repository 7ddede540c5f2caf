import type { GuardedStore } from '../store/guarded-store.js'
import type { ConsumerState } from '../store/port.js'

type Rows = Promise<readonly ConsumerState[]>

/** How soon the consumers of other nodes are looked at again. */
const LOOK_EVERY_MS = 1_000

/** What the store keeps of all consumers of a prefix, read once a second for all that wait on this node, however many they are. */
export class ConsumerRows {
  readonly #store: GuardedStore
  readonly #prefix: string
  readonly #monotonic: () => number
  #last: Rows | undefined
  #lastAt = Number.NEGATIVE_INFINITY
  #underWay = false

  constructor(store: GuardedStore, prefix: string, monotonic: () => number) {
    this.#store = store
    this.#prefix = prefix
    this.#monotonic = monotonic
  }

  /** The rows as they are now. */
  async now(): Rows {
    const rows = this.#store.consumers(this.#prefix)
    this.#last = rows
    this.#lastAt = this.#monotonic()
    this.#underWay = true
    try {
      return await rows
    } finally {
      if (this.#last === rows) this.#underWay = false
    }
  }

  /** The rows as they were a second ago at most, or as a read that is under way finds them. */
  async recent(): Rows {
    return await (this.#last !== undefined && (this.#underWay || this.#leftMs > 0) ? this.#last : this.now())
  }

  /** When those who wait look again: all together, as soon as what was read last is too old. */
  get lookInMs(): number {
    return this.#leftMs > 0 ? this.#leftMs : LOOK_EVERY_MS
  }

  get #leftMs(): number {
    return Math.ceil(this.#lastAt + LOOK_EVERY_MS - this.#monotonic())
  }
}
