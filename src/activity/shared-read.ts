import type { ConsumerState } from '../store/port.js'

/** How soon data is read again. */
const READ_EVERY_MS = 1_000

/** Data in the store that is read once a second for all callers on this node. */
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

  /** Reads the current value. */
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

  /** Returns a value at most a second old, or the result of a read in progress. */
  async recent(): Promise<T> {
    return await (this.#last !== undefined && (this.#underWay || this.#leftMs > 0) ? this.#last : this.now())
  }

  /** How long until the waiting callers read again: all together, once the last value is too old. */
  get lookInMs(): number {
    return this.#leftMs > 0 ? this.#leftMs : READ_EVERY_MS
  }

  get #leftMs(): number {
    return Math.ceil(this.#lastAt + READ_EVERY_MS - this.#monotonic())
  }
}

/** Store data that the consumers of a node share. */
export type ConsumerReads = {
  /** The rows of all consumers. */
  readonly rows: SharedRead<readonly ConsumerState[]>
  /** The `seq` of the newest event, after events of host transactions were placed; 0 if there are none. */
  readonly newest: SharedRead<number>
}

/**
 * Reads data for callers who need the state after their call.
 *
 * Callers that arrive during a read share the next one, and reads are at least `gapMs` apart. The cost therefore does not depend on how many callers ask, or
 * how often.
 */
export class FreshRead<T> {
  readonly #read: () => Promise<T>
  readonly #gapMs: number
  readonly #monotonic: () => number
  #underWay: Promise<unknown> | undefined
  #queued: Promise<T> | undefined
  #begunAt = Number.NEGATIVE_INFINITY

  constructor(read: () => Promise<T>, { gapMs, monotonic }: { readonly gapMs: number; readonly monotonic: () => number }) {
    this.#read = read
    this.#gapMs = gapMs
    this.#monotonic = monotonic
  }

  /** Resolves to the result of a read that begins after this call. */
  next(): Promise<T> {
    if (this.#queued !== undefined) return this.#queued
    if (this.#underWay === undefined && this.#leftMs <= 0) return this.#begin()
    this.#queued = this.#beginLater()
    return this.#queued
  }

  get #leftMs(): number {
    return this.#begunAt + this.#gapMs - this.#monotonic()
  }

  async #beginLater(): Promise<T> {
    await this.#underWay
    const left = this.#leftMs
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left))
    this.#queued = undefined
    return await this.#begin()
  }

  #begin(): Promise<T> {
    this.#begunAt = this.#monotonic()
    const read = this.#read()
    const ended = (): void => {
      if (this.#underWay === mine) this.#underWay = undefined
    }
    const mine = read.then(ended, ended)
    this.#underWay = mine
    return read
  }
}
