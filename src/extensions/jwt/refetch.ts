import { BoundedMap } from '../../cache/bounded-map.js'
import { Budget, type Rate } from '../../cache/budget.js'
import { StoreUnavailableError } from '../../errors.js'
import type { MaybePromise } from '../../model/json.js'
import { callOut } from '../../store/deadline.js'

/** How often unknown key IDs may trigger a fetch from an issuer of signed tokens. */
const FETCHES: Rate = { burst: 4, perSecond: 0.1 }
/** How long an ID stays unknown before the keys are fetched again. */
const MISS_MS = 10_000
const MAX_MISSES = 1000

/** The moment at which a key ID was presented, as returned by `Refetch.now`. */
export type Moment = number

/**
 * Fetches published keys again: one fetch at a time, and only a few, regardless of the number of unpublished IDs that are presented.
 *
 * Only a fetch that began after the request can show that a key does not exist. Without such a fetch, the answer is unknown.
 */
export class Refetch {
  readonly #load: () => Promise<void>
  readonly #monotonic: () => number
  readonly #budget: Budget
  readonly #misses: BoundedMap<{ visited: boolean; readonly until: number }> = new BoundedMap(MAX_MISSES)
  #begun = 0
  /** The number of the last successful fetch. */
  #succeeded = 0
  /** When that fetch began, on the monotonic clock. */
  #succeededFrom = 0
  #fetching: Promise<void> | undefined

  constructor(load: () => Promise<void>, monotonic: () => number, fetches: Rate = FETCHES) {
    this.#load = load
    this.#monotonic = monotonic
    this.#budget = new Budget(fetches, monotonic)
  }

  /** Only a fetch that begins later shows what is published now. */
  get now(): Moment {
    return this.#begun
  }

  /** Returns the fetch in progress or a new one, or `undefined` if there were too many. */
  begin(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching
    if (this.#budget.spent('')) return undefined
    this.#budget.spend('')
    this.#begun += 1
    const number = this.#begun
    const from = this.#monotonic()
    this.#fetching = this.#load()
      .then(() => {
        this.#succeeded = number
        this.#succeededFrom = from
      })
      .finally(() => {
        this.#fetching = undefined
      })
    // The callers that wait for the fetch may be gone by the time it fails.
    this.#fetching.catch(() => undefined)
    return this.#fetching
  }

  /**
   * Waits up to this many milliseconds for the fetch in progress or a new one.
   *
   * @throws StoreUnavailableError `store_unavailable`, when it fails, takes longer, or there were too many fetches
   */
  async wait(leftMs: number): Promise<void> {
    const fetching = this.begin()
    if (fetching === undefined) throw new StoreUnavailableError('the published keys were fetched too often recently')
    await callOut({ what: 'the fetch of the published keys', where: 'keys', deadlineMs: leftMs, report: toldElsewhere }, () => fetching)
  }

  /**
   * Finds a key that is not among the known ones. Returns `undefined` if it is not published. `asked` is the moment at which it was presented.
   *
   * @throws StoreUnavailableError `store_unavailable`, when that cannot be determined
   */
  async find<T>(name: string, asked: Moment, find: () => MaybePromise<T | undefined>, leftMs: () => number): Promise<T | undefined> {
    for (;;) {
      const isCovered = this.#succeeded > asked
      const found = await find()
      if (found !== undefined) return found
      if (isCovered) break
      if (this.#isMiss(name)) return undefined
      await this.wait(leftMs())
    }
    this.#misses.set(name, { visited: false, until: this.#succeededFrom + MISS_MS })
    return undefined
  }

  #isMiss(name: string): boolean {
    const miss = this.#misses.get(name)
    return miss !== undefined && this.#monotonic() < miss.until
  }
}

// The fetch reports its own failure, and the guard reports the request that could not be decided.
function toldElsewhere(): void {}
