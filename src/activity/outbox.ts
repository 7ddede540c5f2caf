import type { StoredEvent } from '../model/event.js'
import type { GuardedStore } from '../store/guarded-store.js'
import { PLACED_AT_ONCE } from '../store/port.js'
import { untilDone } from '../store/until-done.js'
import { Passes } from './passes.js'

/** How long to look frequently for the end of a host transaction. If it takes longer, the next sweep of any node finds it. */
const EXPECT_MS = 60_000

/**
 * Events that were written in host transactions.
 *
 * Nothing signals when such a transaction commits, so this node looks for events on several occasions: soon after one was written here, with each sweep,
 * and before the audit log is read at or past their position.
 */
export class Outbox {
  readonly #store: GuardedStore
  readonly #prefix: string
  readonly #monotonic: () => number
  readonly #announce: (events: readonly StoredEvent[]) => void
  readonly #committed: (tokenId: string) => void
  #expectedUntil = Number.NEGATIVE_INFINITY
  readonly #passes: Passes<void> = new Passes(() => this.#untilPlaced())

  constructor(
    store: GuardedStore,
    options: {
      readonly prefix: string
      readonly monotonic: () => number
      readonly announce: (events: readonly StoredEvent[]) => void
      /** Marks the transaction that this token is part of as committed. */
      readonly committed: (tokenId: string) => void
    },
  ) {
    this.#store = store
    this.#prefix = options.prefix
    this.#monotonic = options.monotonic
    this.#announce = options.announce
    this.#committed = options.committed
  }

  /** Signals that something was written in a transaction that will end soon. */
  expect(): void {
    this.#expectedUntil = this.#monotonic() + EXPECT_MS
  }

  get pending(): boolean {
    return this.#monotonic() < this.#expectedUntil
  }

  /** Places events if a host transaction is expected to end soon. */
  async flush(): Promise<void> {
    if (this.pending) await this.place()
  }

  /**
   * Assigns every event of transactions committed before this call its position in the order, and reports it to the host.
   *
   * Calls that arrive while a pass is running share the next pass, because they may be too late for the current pass.
   *
   * @throws StoreUnavailableError `store_unavailable`
   */
  async place(): Promise<void> {
    await this.#passes.run()
  }

  /** Places the events about these tokens, however many others are waiting. */
  async placeOf(tokenIds: readonly string[]): Promise<void> {
    await this.#untilPlaced(tokenIds)
  }

  /** Places up to this many batches of events, for a caller that must not wait for all of them. */
  async placeBatches(most: number): Promise<void> {
    for (let batches = 0; batches < most; batches += 1) if (!(await this.#placeBatch())) return
  }

  async #untilPlaced(tokenIds?: readonly string[]): Promise<void> {
    await untilDone(this.#store.name, 'events to place', () => this.#placeBatch(tokenIds))
  }

  /** Returns whether there may be more. */
  async #placeBatch(tokenIds?: readonly string[]): Promise<boolean> {
    const placed = await this.#store.placeEvents(this.#prefix, tokenIds)
    this.tell(placed)
    return placed.length >= PLACED_AT_ONCE
  }

  /** Reports events that were placed, which means that their transactions were committed. */
  tell(placed: readonly StoredEvent[]): void {
    for (const { tokenId } of placed) if (tokenId !== undefined) this.#committed(tokenId)
    this.#announce(placed)
  }
}
