import { bytesToHex, hash, utf8ToBytes } from '../../audit/hash.js'
import type { MovingStore } from '../../store/moving-store.js'
import type { AnyPart, Rows } from './part.js'

/** One pass over a part of both stores. */
export type Pass = {
  /** Rows of the old store. */
  readonly count: number
  /** Hash over the rows of each store, in order. */
  readonly hash: string
  readonly targetHash: string
  /** Rows that were missing or different in the new store, and extra rows in it. */
  readonly written: number
  readonly removed: number
}

/** Number of rows written together. */
const BATCH = 200
/** The size of the rows that are written together, in characters of JSON. */
const BATCH_SIZE = 4 * 1024 * 1024

/** SHA-256 over the previous hash and the hash of each row. */
class Chain {
  #head = new Uint8Array(32)

  add(leaf: Uint8Array): void {
    this.#head = new Uint8Array(hash('node', this.#head, leaf))
  }

  toString(): string {
    return bytesToHex(this.#head)
  }
}

/** Reads the rows of one store one by one. */
class Reader {
  readonly #part: AnyPart
  readonly #store: MovingStore
  #page: readonly unknown[] = []
  #at = 0
  #last: unknown
  #ended = false

  constructor(part: AnyPart, store: MovingStore) {
    this.#part = part
    this.#store = store
  }

  /** Returns the next row, or `undefined` at the end. */
  async peek(): Promise<unknown> {
    if (this.#at >= this.#page.length && !this.#ended) {
      this.#page = await this.#part.page(this.#store, this.#last)
      this.#at = 0
      this.#last = this.#page.at(-1)
      this.#ended = this.#page.length === 0
    }
    return this.#page[this.#at]
  }

  next(): void {
    this.#at += 1
  }
}

/** Goes through a part of both stores in their common order, and passes differences to `write`. To compare only, pass a `write` that does nothing. */
export async function reconcile(
  part: AnyPart,
  { from, to }: { readonly from: MovingStore; readonly to: MovingStore },
  write: (rows: Rows, progress: number) => Promise<void>,
): Promise<Pass> {
  const source = new Reader(part, from)
  const target = new Reader(part, to)
  const chains = { source: new Chain(), target: new Chain() }
  let [count, written, removed] = [0, 0, 0]
  let size = 0
  let pending: { put: unknown[]; gone: unknown[] } = { put: [], gone: [] }
  const flush = async (): Promise<void> => {
    const { put, gone } = pending
    pending = { put: [], gone: [] }
    size = 0
    written += put.length
    removed += gone.length
    if (gone.length > 0 && part.remove !== undefined) await write(part.remove(gone), count)
    for (const rows of put.length > 0 ? part.write(put) : [{}]) await write(rows, count)
  }
  for (;;) {
    const [ours, theirs] = [await source.peek(), await target.peek()]
    if (ours === undefined && theirs === undefined) break
    const order = ours === undefined ? 1 : theirs === undefined ? -1 : part.compare(ours, theirs)
    const [text, there] = [order <= 0 ? part.textOf(ours) : undefined, order >= 0 ? part.textOf(theirs) : undefined]
    const leaf = text === undefined ? undefined : hash('leaf', utf8ToBytes(text))
    if (leaf !== undefined) chains.source.add(leaf)
    if (there !== undefined) chains.target.add(there === text && leaf !== undefined ? leaf : hash('leaf', utf8ToBytes(there)))
    if (order <= 0) {
      source.next()
      count += 1
      if (text !== there) {
        pending.put.push(ours)
        size += text?.length ?? 0
      }
    }
    if (order >= 0) {
      target.next()
      if (order > 0) pending.gone.push(theirs)
    }
    if (pending.put.length + pending.gone.length >= BATCH || size >= BATCH_SIZE || (order <= 0 && count % BATCH === 0)) await flush()
  }
  await flush()
  return { count, hash: String(chains.source), targetHash: String(chains.target), written, removed }
}
