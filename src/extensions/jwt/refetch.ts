import { BoundedMap } from '../../cache/bounded-map.js'
import { Budget } from '../../cache/budget.js'
import { StoreUnavailableError } from '../../errors.js'
import type { MaybePromise } from '../../model/json.js'
import { callOut } from '../../store/deadline.js'

/** How often names that are not known make the keys be fetched anew. */
const FETCHES = { burst: 4, perSecond: 0.1 }
/** How long a name goes on being unknown without the keys being fetched anew. */
const MISS_MS = 10_000
const MAX_MISSES = 1000

/** When a name was asked about: `Refetch.now`. */
export type Moment = number

/**
 * Fetches published keys anew: one fetch at a time, and no more than a few, however many names are asked about that nobody published.
 *
 * That there is no such key is said only by a fetch that began after somebody asked. Where there was none, nothing is known.
 */
export class Refetch {
  readonly #load: () => Promise<void>
  readonly #monotonic: () => number
  readonly #budget: Budget
  readonly #misses: BoundedMap<{ visited: boolean; readonly until: number }> = new BoundedMap(MAX_MISSES)
  #begun = 0
  /** The number of the last fetch that succeeded. */
  #succeeded = 0
  #fetching: Promise<void> | undefined

  constructor(load: () => Promise<void>, monotonic: () => number) {
    this.#load = load
    this.#monotonic = monotonic
    this.#budget = new Budget(FETCHES, monotonic)
  }

  /** Only a fetch that begins later tells what was published by now. */
  get now(): Moment {
    return this.#begun
  }

  /** The fetch that is under way, or a new one; `undefined` where there were too many. */
  begin(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching
    if (this.#budget.spent('')) return undefined
    this.#budget.spend('')
    this.#begun += 1
    const number = this.#begun
    this.#fetching = this.#load()
      .then(() => {
        this.#succeeded = number
      })
      .finally(() => {
        this.#fetching = undefined
      })
    // Whoever waits for it may have gone by the time it fails.
    this.#fetching.catch(() => undefined)
    return this.#fetching
  }

  /**
   * Waits for the fetch that is under way, or a new one, for so many milliseconds.
   *
   * @throws StoreUnavailableError `store_unavailable`, when it fails, takes longer, or there were too many
   */
  async wait(leftMs: number): Promise<void> {
    const fetching = this.begin()
    if (fetching === undefined) throw new StoreUnavailableError('the published keys were fetched too often in the last seconds')
    await callOut({ what: 'the fetch of the published keys', where: 'keys', deadlineMs: leftMs, report: toldElsewhere }, () => fetching)
  }

  /**
   * Finds what is not among the keys at hand; `undefined` where it is not published. `asked`: the moment at which it was asked about.
   *
   * @throws StoreUnavailableError `store_unavailable`, when that cannot be known
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
    this.#misses.set(name, { visited: false, until: this.#monotonic() + MISS_MS })
    return undefined
  }

  #isMiss(name: string): boolean {
    const miss = this.#misses.get(name)
    return miss !== undefined && this.#monotonic() < miss.until
  }
}

// Whoever fetches tells of a fetch that failed, and the guard of the request that could not be decided.
function toldElsewhere(): void {}
