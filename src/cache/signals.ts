import { ClosedError, LatchkeyError, type RefusalCode } from '../errors.js'
import { type Lifecycle, refusalOf } from '../policy/status.js'
import type { Filtered } from '../store/compile-filter.js'
import { startTimer } from '../store/timer.js'
import type { Entry } from './entry.js'

const RETRY_MS = 1000

type Watch = {
  readonly controller: AbortController
  /** Whose token it is. */
  readonly about: Filtered
  /** As it was last read. */
  lifecycle: Lifecycle
  timer: ReturnType<typeof setTimeout> | undefined
  checking: boolean
  again: boolean
}

/** What the watch needs of its surroundings. */
export type SignalSource = {
  readonly read: (id: string) => Promise<Entry | undefined>
  /** Makes sure that changes on other nodes are heard of. */
  readonly follow: () => void
  /** May silence of the feed still be taken for "nothing changed"? */
  readonly fresh: () => boolean
  readonly clock: () => number
}

/**
 * Ends work that is still going on when its token ends: one `AbortSignal` per token, made when somebody first reads it.
 *
 * A signal is a courtesy to long answers, not part of any decision.
 */
export class Signals {
  readonly #source: SignalSource
  readonly #watches: Map<string, Watch> = new Map()
  #stopped = false

  constructor(source: SignalSource) {
    this.#source = source
  }

  /** The signal of this token. */
  of(entry: Entry): AbortSignal {
    const known = this.#watches.get(entry.id)
    if (known !== undefined) return known.controller.signal
    const watch: Watch = {
      controller: new AbortController(),
      // A copy of what is needed: the entry itself may be dropped from the cache long before the work ends.
      about: { id: entry.id, tenantId: entry.tenantId, ownerId: entry.ownerId, createdBy: entry.createdBy },
      lifecycle: entry.lifecycle,
      timer: undefined,
      checking: false,
      again: false,
    }
    if (this.#stopped) {
      watch.controller.abort(new ClosedError())
      return watch.controller.signal
    }
    this.#watches.set(entry.id, watch)
    this.#source.follow()
    this.#arm(entry.id, watch)
    // The token may have changed between the decision and this moment.
    this.changed(entry.id)
    return watch.controller.signal
  }

  changed(id: string): void {
    const watch = this.#watches.get(id)
    if (watch === undefined) return
    if (watch.checking) watch.again = true
    else void this.#check(id, watch)
  }

  /** Looks again at the watched tokens that match: after a bulk change. */
  checkWhere(matches: (token: Filtered) => boolean): void {
    for (const [id, { about }] of [...this.#watches]) if (matches(about)) this.changed(id)
  }

  /** Looks at every watched token again: when the feed was lost, or what it says cannot be told. */
  checkAll(): void {
    for (const id of [...this.#watches.keys()]) this.changed(id)
  }

  /** Nobody looks after the tokens from here on, so the work that relies on that ends, as a new request would be refused. */
  stop(): void {
    this.#stopped = true
    for (const [id, watch] of [...this.#watches]) this.#end(id, watch, new ClosedError())
  }

  async #check(id: string, watch: Watch): Promise<void> {
    watch.checking = true
    do {
      watch.again = false
      const code = await this.#verdict(id, watch)
      if (code !== undefined) {
        this.#end(id, watch, new LatchkeyError(code, `the token of this request is no longer good: ${code}`))
        return
      }
    } while (watch.again)
    watch.checking = false
  }

  async #verdict(id: string, watch: Watch): Promise<RefusalCode | 'store_unavailable' | undefined> {
    try {
      const entry = await this.#source.read(id)
      if (entry === undefined) return 'token_unknown'
      watch.lifecycle = entry.lifecycle
      this.#arm(id, watch)
      return refusalOf(watch.lifecycle, this.#source.clock())
    } catch {
      // Neither feed nor store can vouch for the token any more: the work ends, as a new request would be refused.
      if (!this.#source.fresh()) return 'store_unavailable'
      this.#later(id, watch, RETRY_MS)
      return refusalOf(watch.lifecycle, this.#source.clock())
    }
  }

  #arm(id: string, watch: Watch): void {
    clearTimeout(watch.timer)
    const { expiresAt } = watch.lifecycle
    if (expiresAt !== undefined) this.#later(id, watch, expiresAt - this.#source.clock())
  }

  #later(id: string, watch: Watch, delayMs: number): void {
    clearTimeout(watch.timer)
    if (watch.controller.signal.aborted) return
    watch.timer = startTimer(() => this.changed(id), Math.max(1, delayMs))
  }

  #end(id: string, watch: Watch, reason: LatchkeyError): void {
    clearTimeout(watch.timer)
    this.#watches.delete(id)
    watch.controller.abort(reason)
  }
}
