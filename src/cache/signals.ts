import { LatchkeyError, type RefusalCode } from '../errors.js'
import { refusalOf } from '../policy/status.js'
import type { Entry } from '../records/entry.js'
import { unref } from '../records/timer.js'

const LONGEST_TIMER_MS = 2_147_483_647
const RETRY_MS = 1000

type Watch = { readonly controller: AbortController; timer: ReturnType<typeof setTimeout> | undefined; checking: boolean; again: boolean }

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

  constructor(source: SignalSource) {
    this.#source = source
  }

  /** The signal of this token. */
  of(entry: Entry): AbortSignal {
    const known = this.#watches.get(entry.id)
    if (known !== undefined) return known.controller.signal
    const watch: Watch = { controller: new AbortController(), timer: undefined, checking: false, again: false }
    this.#watches.set(entry.id, watch)
    this.#source.follow()
    this.#arm(entry.id, watch, entry)
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

  /** Looks at every watched token again: after a bulk change, or when the feed was lost. */
  checkAll(): void {
    for (const id of [...this.#watches.keys()]) this.changed(id)
  }

  stop(): void {
    for (const watch of this.#watches.values()) clearTimeout(watch.timer)
    this.#watches.clear()
  }

  async #check(id: string, watch: Watch): Promise<void> {
    watch.checking = true
    do {
      watch.again = false
      try {
        const entry = await this.#source.read(id)
        const code = entry === undefined ? 'token_unknown' : refusalOf(entry.lifecycle, this.#source.clock())
        if (code !== undefined) return this.#end(id, watch, code)
        if (entry !== undefined) this.#arm(id, watch, entry)
      } catch {
        // Neither feed nor store can vouch for the token any more: the work ends, as a new request would be refused.
        if (!this.#source.fresh()) return this.#end(id, watch, 'store_unavailable')
        this.#later(id, watch, RETRY_MS)
      }
    } while (watch.again)
    watch.checking = false
  }

  #arm(id: string, watch: Watch, entry: Entry): void {
    const { expiresAt } = entry.lifecycle
    if (expiresAt !== undefined) this.#later(id, watch, expiresAt - this.#source.clock())
  }

  #later(id: string, watch: Watch, delayMs: number): void {
    clearTimeout(watch.timer)
    watch.timer = setTimeout(() => this.changed(id), Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS))
    unref(watch.timer)
  }

  #end(id: string, watch: Watch, code: RefusalCode | 'store_unavailable'): void {
    clearTimeout(watch.timer)
    this.#watches.delete(id)
    watch.controller.abort(new LatchkeyError(code, `the token of this request is no longer good: ${code}`))
  }
}
