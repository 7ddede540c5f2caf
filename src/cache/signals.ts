import { ClosedError, LatchkeyError, type RefusalCode } from '../errors.js'
import { type Lifecycle, refusalOf } from '../policy/status.js'
import type { Filtered } from '../store/compile-filter.js'
import type { TokenFilter } from '../store/port.js'
import type { Report } from '../store/reporter.js'
import { CLOCK_CHECK_MS, leftOf } from '../store/timer.js'
import { AffectedWatches, type Searching } from './affected-watches.js'
import { CheckTurns } from './check-turns.js'
import { endingWith, filteredOf } from './ending-together.js'
import type { Entry } from './entry.js'
import { type ControllerRef, createCollected, createHeldSignal, refTo } from './held-signal.js'

const RETRY_MS = 1000

/** The signal of one request. */
export type RequestSignal = {
  readonly signal: AbortSignal
  /** Ends the request: the signal does not fire anymore, and its resources are released. */
  detach(): void
}

/** The watched state of a token. */
export type Watched = Filtered & { readonly lifecycle: Lifecycle }

type Watch = {
  /** One for each active request whose signal is still referenced. */
  readonly requests: Set<ControllerRef>
  /** Controllers with listeners, which must fire even if nothing else references them. */
  readonly awaited: Set<AbortController>
  /** This token and the tokens that also end it when they end, by ID. Bulk changes are matched against them. */
  readonly about: Map<string, Filtered>
  /** The lifecycles that were last read. */
  readonly lifecycles: Map<string, Lifecycle>
  timer: ReturnType<typeof setTimeout> | undefined
  /** Ends the work unless a known change to one of these tokens can be read by then. */
  unread: ReturnType<typeof setTimeout> | undefined
  /** Whether the check that is under way must be repeated. */
  again: boolean
}

/** Dependencies of the watch. */
export type SignalSource = {
  /** `own`: the token of the request, as opposed to another token that also ends it. */
  readonly read: (id: string, own: boolean) => Promise<Watched | undefined>
  /** Starts following changes from other nodes. */
  readonly follow: () => void
  /** Returns whether work with this token may continue even though its record cannot be read. `hasChanged`: since it was last read. */
  readonly bridges: (id: string, hasChanged: boolean) => boolean
  /** How long work may continue with a token that has changed, while the change cannot be read. */
  readonly unreadMs: number
  readonly clock: () => number
  readonly report: Report
} & Searching

/**
 * Ends ongoing work when its token ends: one `AbortSignal` for each request that reads it, and one watch for each token.
 *
 * Signals exist for long responses. No decision depends on them.
 */
export class Signals {
  readonly #source: SignalSource
  readonly #watches: Map<string, Watch> = new Map()
  /** The watched tokens that end together with a token, by the ID of that token. */
  readonly #together: Map<string, Set<string>> = new Map()
  /** For requests whose end is never reported. A signal that has been garbage-collected needs no watch. */
  readonly #collected: ReturnType<typeof createCollected> = createCollected()
  readonly #checking: Set<Watch> = new Set()
  readonly #affected: AffectedWatches
  readonly #turns: CheckTurns = new CheckTurns((id) => this.#check(id))
  #stopped = false

  constructor(source: SignalSource) {
    this.#source = source
    this.#affected = new AffectedWatches(this.#watches, source, (id) => this.#noteChange(id))
  }

  /** The number of watched tokens. */
  get size(): number {
    return this.#watches.size
  }

  /** Opens a signal for one request with this token. */
  open(entry: Entry): RequestSignal {
    if (this.#stopped) {
      const controller = new AbortController()
      controller.abort(new ClosedError())
      return { signal: controller.signal, detach: () => undefined }
    }
    const watch = this.#watches.get(entry.id) ?? this.#start(entry)
    this.#watchTogether(entry.id, watch, endingWith(entry))
    const controller = createHeldSignal((awaited) => {
      const own = ref.deref()
      if (own === undefined || !watch.requests.has(ref)) return
      if (awaited) watch.awaited.add(own)
      else watch.awaited.delete(own)
    })
    const ref = refTo(controller)
    const forget = (): void => this.#forget(entry.id, watch, ref)
    watch.requests.add(ref)
    this.#collected?.register(controller, forget, ref)
    return {
      signal: controller.signal,
      detach: () => {
        this.#collected?.unregister(ref)
        forget()
      },
    }
  }

  #start(entry: Entry): Watch {
    const watch: Watch = {
      requests: new Set(),
      awaited: new Set(),
      about: new Map([[entry.id, filteredOf(entry)]]),
      lifecycles: new Map([[entry.id, entry.lifecycle]]),
      timer: undefined,
      unread: undefined,
      again: false,
    }
    this.#watches.set(entry.id, watch)
    this.#source.follow()
    // This read also sets the timer.
    // The token may have changed between the decision and this moment.
    this.#look(entry.id)
    return watch
  }

  #watchTogether(id: string, watch: Watch, others: readonly Filtered[]): void {
    const fresh = others.filter((other) => !watch.about.has(other.id))
    for (const other of fresh) {
      watch.about.set(other.id, other)
      const watched = this.#together.get(other.id) ?? new Set()
      this.#together.set(other.id, watched.add(id))
    }
    if (fresh.length > 0) this.#look(id)
  }

  #drop(id: string, watch: Watch): void {
    clearTimeout(watch.timer)
    clearTimeout(watch.unread)
    if (this.#watches.get(id) !== watch) return
    this.#watches.delete(id)
    for (const other of watch.about.keys()) {
      const watched = this.#together.get(other)
      if (watched?.delete(id) && watched.size === 0) this.#together.delete(other)
    }
  }

  #forget(id: string, watch: Watch, ref: ControllerRef): void {
    watch.requests.delete(ref)
    const controller = ref.deref()
    if (controller !== undefined) watch.awaited.delete(controller)
    if (watch.requests.size === 0) this.#drop(id, watch)
  }

  changed(id: string): void {
    for (const watched of [id, ...(this.#together.get(id) ?? [])]) this.#noteChange(watched)
  }

  #noteChange(id: string): void {
    const watch = this.#watches.get(id)
    if (watch === undefined) return
    this.#awaitRead(id, watch)
    this.#look(id)
  }

  // The change may be the end of the token. While it cannot be read, new requests with the token are refused.
  #awaitRead(id: string, watch: Watch): void {
    watch.unread ??= this.#source.background.timer(() => {
      watch.unread = undefined
      if (this.#watches.get(id) !== watch) return
      if ([...watch.about.keys()].every((each) => this.#source.bridges(each, true))) this.#awaitRead(id, watch)
      else this.#end(id, watch, 'store_unavailable')
    }, this.#source.unreadMs)
  }

  #look(id: string): void {
    const watch = this.#watches.get(id)
    if (watch === undefined) return
    if (this.#checking.has(watch)) watch.again = true
    // Not in the async context of the request that changed the token, because the work is done for other requests.
    else this.#source.background.run(() => this.#turns.add(id, watch.about.get(id)?.tenantId))
  }

  /** Checks the watched tokens that match a bulk change, and rechecks those being checked, because the records that their checks read may match too. */
  checkWhere(filters: readonly TokenFilter[]): void {
    for (const watch of this.#checking) watch.again = true
    this.#affected.find(filters)
  }

  /** Checks every watched token, after the feed was lost or reported that anything may have changed. */
  checkAll(): void {
    for (const id of [...this.#watches.keys()]) this.#look(id)
  }

  /** Stops watching. Ongoing work ends, just as a new request would be refused. */
  stop(): void {
    this.#stopped = true
    for (const [id, watch] of [...this.#watches]) this.#end(id, watch, 'closed')
  }

  async #check(id: string): Promise<void> {
    const watch = this.#watches.get(id)
    if (watch === undefined) return
    this.#checking.add(watch)
    watch.again = false
    const code = await this.#verdict(id, watch)
    this.#checking.delete(watch)
    // If all requests are over, there is nothing to end.
    if (watch.requests.size === 0) return
    if (code !== undefined) this.#end(id, watch, code)
    // At the end of the line, because changes that come faster than reads would otherwise keep every place taken.
    else if (watch.again) this.#look(id)
  }

  async #verdict(id: string, watch: Watch): Promise<RefusalCode | 'store_unavailable' | undefined> {
    try {
      for (const each of watch.about.keys()) {
        const entry = await this.#source.read(each, each === id)
        if (entry === undefined && each === id) return 'token_unknown'
        // A token that is gone had already ended, so it can be dropped.
        if (entry === undefined) watch.lifecycles.delete(each)
        else {
          watch.lifecycles.set(each, entry.lifecycle)
          // A token joins a lineage with its first rotation.
          watch.about.set(each, filteredOf(entry))
        }
      }
      if (!watch.again) {
        clearTimeout(watch.unread)
        watch.unread = undefined
      }
      this.#arm(id, watch)
      return this.#refusal(watch)
    } catch (error) {
      this.#source.report('verify', error)
      // Nothing can confirm the token anymore, so the work ends, just as a new request would be refused.
      if (![...watch.about.keys()].every((each) => this.#source.bridges(each, false))) return 'store_unavailable'
      // A known change is read again several times before the work ends.
      this.#later(id, watch, watch.unread === undefined ? RETRY_MS : Math.min(RETRY_MS, this.#source.unreadMs / 4), () => this.#look(id))
      return this.#refusalByClock(watch)
    }
  }

  // Nothing awaits this, so a clock that throws would end the process.
  #refusalByClock(watch: Watch): RefusalCode | 'store_unavailable' | undefined {
    try {
      return this.#refusal(watch)
    } catch {
      return 'store_unavailable'
    }
  }

  #refusal({ lifecycles }: Watch): RefusalCode | undefined {
    const now = this.#source.clock()
    for (const lifecycle of lifecycles.values()) {
      const code = refusalOf(lifecycle, now)
      if (code !== undefined) return code
    }
    return undefined
  }

  #arm(id: string, watch: Watch): void {
    clearTimeout(watch.timer)
    const ends = [...watch.lifecycles.values()].flatMap(({ expiresAt }) => expiresAt ?? [])
    const expiresAt = ends.length === 0 ? undefined : Math.min(...ends)
    if (expiresAt !== undefined) this.#awaitExpiry(id, watch, expiresAt, expiresAt - this.#source.clock())
  }

  // The wall clock may jump forward, when the machine resumes or its time is corrected. Until the expiry, only the clock is read.
  #awaitExpiry(id: string, watch: Watch, expiresAt: number, leftMs: number): void {
    this.#later(id, watch, Math.min(leftMs, CLOCK_CHECK_MS), () => {
      const left = leftOf(() => expiresAt - this.#source.clock())
      if (left > 0) this.#awaitExpiry(id, watch, expiresAt, left)
      else this.#look(id)
    })
  }

  #later(id: string, watch: Watch, delayMs: number, work: () => void): void {
    clearTimeout(watch.timer)
    if (this.#watches.get(id) !== watch) return
    watch.timer = this.#source.background.timer(work, Math.max(1, delayMs))
  }

  #end(id: string, watch: Watch, code: RefusalCode | 'store_unavailable' | 'closed'): void {
    const reason = code === 'closed' ? new ClosedError() : new LatchkeyError(code, `the token of this request is no longer valid: ${code}`)
    this.#drop(id, watch)
    const requests = [...watch.requests]
    watch.requests.clear()
    for (const ref of requests) ref.deref()?.abort(reason)
    watch.awaited.clear()
  }
}
