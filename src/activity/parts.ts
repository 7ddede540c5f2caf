import { isLatchkeyError } from '../errors.js'
import { DeadlineError, isConnectionLost } from '../store/deadline.js'
import type { GuardedStore } from '../store/guarded-store.js'

/** How many times a store that responds may refuse the same part before the part is split. Any transient cause has passed by then. */
const PATIENCE = 3
/** The same limit if the connection breaks each time. The data is probably not the cause, but some of it may crash the server. */
const PATIENCE_WITH_CUTS = 10
/** After this many individual refusals, the store is assumed to accept nothing at all. */
const MOST_REFUSED = 3

/** Sends parts, and handles refused ones. */
export type PartsOptions<T> = {
  readonly store: GuardedStore
  readonly write: (part: T) => Promise<void>
  /** Ensures that a part whose write failed is not written later. Returns whether it had been written after all. */
  readonly settle: (part: T) => Promise<boolean>
  readonly halve: (part: T) => readonly [T, T] | undefined
  /** Reports an item that the store refuses while it accepts others, with the most recent cause. */
  readonly drop: (part: T, cause: unknown) => void
}

type Part<T> = { readonly part: T; readonly suspect: boolean }

/**
 * Sends parts to the store, each until it is written. A part that the store permanently refuses would block everything after it, so it is halved until the
 * refused item is isolated. That item is dropped once the store has accepted something else. While the store is unreachable or accepts nothing, nothing is
 * dropped.
 */
export class Parts<T> {
  readonly #options: PartsOptions<T>
  #current: Part<T> | undefined
  #waiting: Part<T>[] = []
  #failures = 0
  #settling = false
  #error: unknown

  constructor(options: PartsOptions<T>) {
    this.#options = options
  }

  /** Accepted but not written yet. */
  get left(): readonly T[] {
    return [this.#current, ...this.#waiting].flatMap((each) => each?.part ?? [])
  }

  /**
   * Writes the remaining parts, and then the parts that `next` returns, until it returns nothing.
   *
   * @throws StoreUnavailableError `store_unavailable`; the next call resends the accepted parts, and takes no new ones until that has succeeded
   */
  async send(next: () => T | undefined): Promise<void> {
    const refused: Part<T>[] = []
    let takes = false
    try {
      for (let sent = await this.#sendOne(next); sent !== undefined; sent = await this.#sendOne(next)) {
        if (sent === true) takes = true
        else refused.push(sent)
        if (!takes && refused.length >= MOST_REFUSED) throw this.#error
      }
    } finally {
      if (takes) for (const { part } of refused) this.#options.drop(part, Object(this.#error).cause)
      else this.#waiting.push(...refused)
    }
  }

  /** @throws StoreUnavailableError `store_unavailable`, if the store refused items that are still waiting, and has accepted nothing since */
  check(): void {
    if (this.left.length > 0) throw this.#error
  }

  /** `true`: one part was written. A part: the store refused it. */
  async #sendOne(next: () => T | undefined): Promise<true | Part<T> | undefined> {
    for (;;) {
      this.#current ??= this.#waiting.shift() ?? fresh(next())
      const current = this.#current
      if (current === undefined) return undefined
      const written = await this.#write(current)
      this.#current = undefined
      if (written) return true
      const halves = this.#options.halve(current.part)
      if (halves === undefined) return { part: current.part, suspect: true }
      this.#waiting.unshift(...halves.map((part) => ({ part, suspect: true })))
    }
  }

  async #write(current: Part<T>): Promise<boolean> {
    const { write, settle } = this.#options
    while (!this.#settling) {
      try {
        await write(current.part)
        this.#failures = 0
        return true
      } catch (error) {
        this.#failures += 1
        this.#settling = await this.#isRefused(current, error)
      }
    }
    const written = await settle(current.part)
    this.#settling = false
    this.#failures = 0
    return written
  }

  // A half of a refused part is split as soon as the store refuses it. A half that cannot be split further is tried as often as a whole part, so that no
  // item is dropped by chance.
  async #isRefused({ part, suspect }: Part<T>, error: unknown): Promise<boolean> {
    if (!isRefusal(error)) throw error
    this.#error = error
    // If it is resent under its own number, it is counted once, regardless of what the store already has. Only a confirmed refusal may be dropped.
    if (isConnectionLost(error) && this.#failures < PATIENCE_WITH_CUTS) throw error
    const isLast = suspect && this.#options.halve(part) === undefined
    if (suspect) return !isLast || this.#failures >= PATIENCE
    if (this.#failures < PATIENCE || !(await this.#answers())) throw error
    return true
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#options.store.probe()
      return true
    } catch {
      return false
    }
  }
}

function fresh<T>(part: T | undefined): Part<T> | undefined {
  return part === undefined ? undefined : { part, suspect: false }
}

// A store that hangs, or is about to be moved, has not refused anything.
function isRefusal(error: unknown): boolean {
  return isLatchkeyError(error) && error.code === 'store_unavailable' && !(error instanceof DeadlineError)
}

/** Returns the two halves of a list of several items. */
export function halves<T>(list: readonly T[]): readonly [readonly T[], readonly T[]] | undefined {
  const middle = list.length >> 1
  return middle === 0 ? undefined : [list.slice(0, middle), list.slice(middle)]
}

/**
 * Runs the work for each item, and continues after failures, unless the first few items all fail. Returns the items that failed, with their errors.
 *
 * @throws the most recent error, if the first few items all fail
 */
export async function tryEach<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<readonly [item: T, error: unknown][]> {
  const failed: [T, unknown][] = []
  let tried = 0
  for (const item of items) {
    tried += 1
    try {
      await work(item)
    } catch (error) {
      failed.push([item, error])
      if (failed.length === tried && tried === MOST_REFUSED) throw error
    }
  }
  const last = failed.at(-1)
  if (last !== undefined && failed.length === tried) throw last[1]
  return failed
}
