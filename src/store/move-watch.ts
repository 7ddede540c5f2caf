import { StoreMovingError, StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { isThenable } from './deadline.js'
import type { StoreMethod } from './methods.js'
import type { Move, MoveState } from './moving.js'
import type { FeedPage, TokenStore } from './port.js'

/** Calls that a move never restricts: those that follow the move, and those that manage the connection. */
const FREE: ReadonlySet<StoreMethod> = new Set([
  'changes',
  // The store itself refuses this call, inside the host's transaction. A separate read of the move might wait for that transaction to end.
  'commitIn',
  'readMove',
  'renewLease',
  'renewLeases',
  'leases',
  'subscribe',
  'migrate',
  'diagnose',
  'close',
])

/** Upkeep that a node postpones while changes are refused. The store itself refuses the changes. */
const UPKEEP: ReadonlySet<StoreMethod> = new Set(['saveConsumer', 'removeConsumer', 'saveSeal', 'removeEvents', 'trimUsage'])

const CLOSED: { readonly [State in MoveState]?: string } = {
  left: 'the tokens were moved to another store: this one no longer verifies tokens',
  gone: 'the tokens were moved to another store: uses that were not yet written are not counted',
  arriving: 'the tokens are being copied into this store: it accepts no tokens until the copy is complete',
}

/**
 * This node's knowledge of a move of its prefix to or from another store. It is never older than the time limit for a revocation to take effect:
 * nodes that follow the feed read the move when a page of the feed may hide a change to it; other nodes read it before a call.
 */
export class MoveWatch {
  readonly #store: TokenStore
  readonly #prefix: string
  readonly monotonic: () => number
  readonly #maxAgeMs: number
  /** The end of the last page for which the state of the move was known. */
  #knownBehind: string | undefined
  #state: MoveState | undefined
  #askedAt = Number.NEGATIVE_INFINITY
  /** The most recent read of the state, while it is in progress. */
  #asking: { readonly began: number; readonly answer: Promise<void> } | undefined

  constructor(store: TokenStore, { prefix, monotonic, maxAgeMs }: { prefix: string; monotonic: () => number; maxAgeMs: number }) {
    this.#store = store
    this.#prefix = prefix
    this.monotonic = monotonic
    this.#maxAgeMs = maxAgeMs
  }

  /** The state of the move, as far as this node knows; absent if there is none. */
  get state(): Exclude<MoveState, 'gone'> | undefined {
    return this.#state === 'gone' ? 'left' : this.#state
  }

  /** Whether the store answers no reads for verifications because of the move. */
  get isClosed(): boolean {
    return this.#state !== undefined && CLOSED[this.#state] !== undefined
  }

  /** Reads the state of the move. */
  ask(): MaybePromise<void> {
    const began = this.monotonic()
    const answer = this.#store.readMove?.(this.#prefix)
    return isThenable(answer) ? answer.then((move) => this.#note(move, began)) : this.#note(answer, began)
  }

  /**
   * Returns whether this page, requested at `began`, proves that no move has progressed. Each step of a move drops the history of the feed, so if a page
   * continues from a page for which this node knew the state, that state is still current.
   */
  isUnmovedIn({ cursor, everything }: FeedPage, after: string | undefined, began: number): boolean {
    if (everything || after === undefined || after !== this.#knownBehind) return false
    this.#knownBehind = cursor
    this.#askedAt = Math.max(this.#askedAt, began)
    return true
  }

  /** Reads the state of the move, as of the end of this page or later. */
  async askBehind({ cursor }: FeedPage): Promise<void> {
    await this.ask()
    this.#knownBehind = cursor
  }

  /**
   * Makes a call if the move allows it.
   *
   * @throws StoreUnavailableError `store_unavailable`
   * @throws StoreMovingError `store_moving`
   */
  admit(method: StoreMethod, call: () => unknown): unknown {
    if (FREE.has(method)) return call()
    const admitted = (): unknown => {
      this.#check(method)
      return call()
    }
    if (this.monotonic() - this.#askedAt < this.#maxAgeMs) return admitted()
    const asked = this.#askTogether()
    return isThenable(asked) ? asked.then(admitted) : admitted()
  }

  /**
   * Joins a read that is under way, unless its answer would be too old for a call to rely on. After an outage, one read for each call would overload the
   * store.
   */
  #askTogether(): MaybePromise<void> {
    if (this.#asking !== undefined && this.monotonic() - this.#asking.began < this.#maxAgeMs) return this.#asking.answer
    const began = this.monotonic()
    const asked = this.ask()
    if (!isThenable(asked)) return
    const asking = {
      began,
      answer: Promise.resolve(asked).finally(() => {
        if (this.#asking === asking) this.#asking = undefined
      }),
    }
    this.#asking = asking
    return asking.answer
  }

  #note(move: unknown, began: number): void {
    // The result of a later request is newer than that of this one.
    if (began < this.#askedAt) return
    this.#askedAt = began
    this.#state = Object.hasOwn(Object(move), 'state') ? (Object(move) as Move).state : undefined
  }

  #check(method: StoreMethod): void {
    const state = this.#state
    // Uses that were counted before the end are still copied.
    if (state === undefined || state === 'leaving' || (state === 'left' && method === 'recordUsage')) return
    const closed = CLOSED[state]
    if (closed !== undefined) throw new StoreUnavailableError(closed)
    if (UPKEEP.has(method) || (state === 'ready' && method === 'recordUsage')) throw new StoreMovingError()
  }
}
