import { digestToSeal } from '../../audit/event-digest.js'
import type { ListedEvent } from '../../model/event.js'
import type { Context } from '../../verify/context.js'
import { firstSeal, newestSeal, sealAt } from './seals.js'

/**
 * Decides which events of a sealed audit log retention may remove. A removal is recorded in a seal and then excuses every missing event up to its position. The
 * decision must therefore not rely on data that someone may have changed in the database, such as an instant that differs from the sealed instant.
 */
export class SealedRemoval {
  readonly #context: Context
  /** Every event up to this position was sealed before the events that are kept, regardless of what its row contains now. */
  readonly #agedSeq: number
  #number: number
  #lastSeq: number
  #leaves: ReadonlyMap<number, string> = new Map()

  private constructor(context: Context, aged: { readonly number: number; readonly lastSeq: number }) {
    this.#context = context
    this.#agedSeq = aged.lastSeq
    this.#number = aged.number
    this.#lastSeq = aged.lastSeq
  }

  /** Reads which seals were made before an instant. */
  static async before(context: Context, instant: number): Promise<SealedRemoval> {
    const newest = await newestSeal(context)
    if (newest === undefined) return new SealedRemoval(context, { number: 0, lastSeq: 0 })
    const first = await firstSeal(context, newest, ({ at }) => at < instant)
    const aged = first.at < instant ? first : await sealAt(context, first.number - 1)
    return new SealedRemoval(context, aged ?? { number: 0, lastSeq: 0 })
  }

  /** Returns whether the event was sealed before the events that are kept, or has not changed since it was sealed. Pass the events in ascending order. */
  async isSound(event: ListedEvent): Promise<boolean> {
    return this.isAged(event) || (await this.#leafOf(event.seq)) === digestToSeal(event)
  }

  isAged({ seq }: ListedEvent): boolean {
    return seq <= this.#agedSeq
  }

  async #leafOf(seq: number): Promise<string | undefined> {
    while (seq > this.#lastSeq) {
      const seal = await sealAt(this.#context, this.#number + 1)
      if (seal === undefined) return undefined
      this.#number = seal.number
      this.#lastSeq = seal.lastSeq
      this.#leaves = new Map(seal.leaves)
    }
    return this.#leaves.get(seq)
  }
}
