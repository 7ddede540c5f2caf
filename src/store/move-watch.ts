import { StoreMovingError, StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { isThenable } from './deadline.js'
import type { StoreMethod } from './methods.js'
import type { Move, MoveState } from './moving.js'
import type { FeedPage, TokenStore } from './port.js'

/** What a move forbids nobody: following it, and what belongs to the connection. */
const FREE: ReadonlySet<StoreMethod> = new Set([
  'changes',
  'readMove',
  'renewLease',
  'renewLeases',
  'leases',
  'subscribe',
  'migrate',
  'diagnose',
  'close',
])

/** What a node leaves undone while changes are refused. Changes themselves are refused by the store. */
const UPKEEP: ReadonlySet<StoreMethod> = new Set(['saveConsumer', 'saveSeal', 'removeEvents', 'trimUsage'])

const CLOSED: { readonly [State in MoveState]?: string } = {
  left: 'the tokens were moved to another store: this one decides nothing any more',
  arriving: 'the tokens are being copied into this store: it decides nothing before that is done',
}

/**
 * What this node knows of a move of its prefix to or from another store, which is never older than the bound for a revocation: whoever follows the feed
 * asks where a page of it leaves that open, and whoever does not asks before a call.
 */
export class MoveWatch {
  readonly #store: TokenStore
  readonly #prefix: string
  readonly monotonic: () => number
  readonly #maxAgeMs: number
  /** The end of the last page behind which it was known how far the move has come. */
  #knownBehind: string | undefined
  #state: MoveState | undefined
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(store: TokenStore, { prefix, monotonic, maxAgeMs }: { prefix: string; monotonic: () => number; maxAgeMs: number }) {
    this.#store = store
    this.#prefix = prefix
    this.monotonic = monotonic
    this.#maxAgeMs = maxAgeMs
  }

  /** How far the move has come, as far as this node knows; absent where there is none. */
  get state(): MoveState | undefined {
    return this.#state
  }

  /** Asks how far the move has come. */
  ask(): MaybePromise<void> {
    const began = this.monotonic()
    const answer = this.#store.readMove?.(this.#prefix)
    return isThenable(answer) ? answer.then((move) => this.#note(move, began)) : this.#note(answer, began)
  }

  /**
   * Does this page, asked for at `began` behind a cursor, say that no move has come any further? Each step of a move makes the feed forget its history, so
   * a page that goes on from one behind which this node knew tells that it still knows.
   */
  isUnmovedIn({ cursor, everything }: FeedPage, after: string | undefined, began: number): boolean {
    if (everything || after === undefined || after !== this.#knownBehind) return false
    this.#knownBehind = cursor
    this.#askedAt = Math.max(this.#askedAt, began)
    return true
  }

  /** Asks how far the move has come by the end of this page, or later. */
  async askBehind({ cursor }: FeedPage): Promise<void> {
    await this.ask()
    this.#knownBehind = cursor
  }

  /**
   * Makes a call, if the move allows it.
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
    const asked = this.ask()
    return isThenable(asked) ? asked.then(admitted) : admitted()
  }

  #note(move: unknown, began: number): void {
    // An answer that was slow says less than one that was asked for later.
    if (began < this.#askedAt) return
    this.#askedAt = began
    this.#state = (Object(move) as Partial<Move>).state
  }

  #check(method: StoreMethod): void {
    const state = this.#state
    // What was counted before the end is still copied.
    if (state === undefined || state === 'leaving' || (state === 'left' && method === 'recordUsage')) return
    const closed = CLOSED[state]
    if (closed !== undefined) throw new StoreUnavailableError(closed)
    if (UPKEEP.has(method) || (state === 'ready' && method === 'recordUsage')) throw new StoreMovingError()
  }
}
