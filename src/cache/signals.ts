import { ClosedError, LatchkeyError, type RefusalCode } from '../errors.js'
import { type Lifecycle, refusalOf } from '../policy/status.js'
import type { Filtered } from '../store/compile-filter.js'
import type { Report } from '../store/reporter.js'
import type { Background } from '../store/timer.js'
import type { Entry } from './entry.js'
import { createHeldSignal } from './held-signal.js'

const RETRY_MS = 1000

/** Some Workers cannot tell what nobody holds any more: there a signal is kept until its request is over or its token ends. */
const COLLECTS = typeof WeakRef === 'function' && typeof FinalizationRegistry === 'function'

type Ref = { deref(): AbortController | undefined }

function refTo(controller: AbortController): Ref {
  return COLLECTS ? new WeakRef(controller) : { deref: () => controller }
}

/** The signal of one request. */
export type RequestSignal = {
  readonly signal: AbortSignal
  /** The request is over: the signal does not fire any more, and nothing is kept for it. */
  detach(): void
}

type Watch = {
  /** One for each request that is under way, as far as anybody still holds its signal. */
  readonly requests: Set<Ref>
  /** Those that somebody listens to: they fire, whoever holds them. */
  readonly awaited: Set<AbortController>
  /** Whose token it is. */
  readonly about: Filtered
  /** As it was last read. */
  lifecycle: Lifecycle
  timer: ReturnType<typeof setTimeout> | undefined
  checking: boolean
  again: boolean
}

/** Dependencies of the watch. */
export type SignalSource = {
  readonly read: (id: string) => Promise<Entry | undefined>
  /** Makes sure that changes on other nodes are heard of. */
  readonly follow: () => void
  /** May silence of the feed still be taken for "nothing changed"? */
  readonly fresh: () => boolean
  readonly clock: () => number
  readonly report: Report
  readonly background: Background
}

/**
 * Ends work that is still going on when its token ends: one `AbortSignal` for each request that reads it, and one watch for each token.
 *
 * A signal is a courtesy to long answers, not part of any decision.
 */
export class Signals {
  readonly #source: SignalSource
  readonly #watches: Map<string, Watch> = new Map()
  /** For requests whose end nobody tells of: what nobody holds any more needs no watch. */
  readonly #collected: FinalizationRegistry<() => void> | undefined = COLLECTS ? new FinalizationRegistry((forget) => forget()) : undefined
  #stopped = false

  constructor(source: SignalSource) {
    this.#source = source
  }

  /** How many tokens are watched. */
  get size(): number {
    return this.#watches.size
  }

  /** A signal for one request by this token. */
  open(entry: Entry): RequestSignal {
    if (this.#stopped) {
      const controller = new AbortController()
      controller.abort(new ClosedError())
      return { signal: controller.signal, detach: () => undefined }
    }
    const watch = this.#watches.get(entry.id) ?? this.#start(entry)
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
      // A copy of what is needed: the entry itself may be dropped from the cache long before the work ends.
      about: { id: entry.id, tenantId: entry.tenantId, ownerId: entry.ownerId, createdBy: entry.createdBy, rootId: entry.rootId },
      lifecycle: entry.lifecycle,
      timer: undefined,
      checking: false,
      again: false,
    }
    this.#watches.set(entry.id, watch)
    this.#source.follow()
    this.#arm(entry.id, watch)
    // The token may have changed between the decision and this moment.
    this.changed(entry.id)
    return watch
  }

  #forget(id: string, watch: Watch, ref: Ref): void {
    watch.requests.delete(ref)
    const controller = ref.deref()
    if (controller !== undefined) watch.awaited.delete(controller)
    if (watch.requests.size > 0) return
    clearTimeout(watch.timer)
    if (this.#watches.get(id) === watch) this.#watches.delete(id)
  }

  changed(id: string): void {
    const watch = this.#watches.get(id)
    if (watch === undefined) return
    if (watch.checking) watch.again = true
    // Not in the context of the request that changed the token: what others wait for would run in it.
    else void this.#source.background.run(() => this.#check(id, watch))
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
      // Nobody is there any more to be told.
      if (watch.requests.size === 0) return
      if (code !== undefined) {
        this.#end(id, watch, new LatchkeyError(code, `the token of this request is no longer valid: ${code}`))
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
    } catch (error) {
      this.#source.report('verify', error)
      // Neither feed nor store can vouch for the token any more: the work ends, as a new request would be refused.
      if (!this.#source.fresh()) return 'store_unavailable'
      this.#later(id, watch, RETRY_MS)
      return this.#refusalByClock(watch)
    }
  }

  // Nobody waits for this: what a clock throws here would end the process.
  #refusalByClock({ lifecycle }: Watch): RefusalCode | 'store_unavailable' | undefined {
    try {
      return refusalOf(lifecycle, this.#source.clock())
    } catch {
      return 'store_unavailable'
    }
  }

  #arm(id: string, watch: Watch): void {
    clearTimeout(watch.timer)
    const { expiresAt } = watch.lifecycle
    if (expiresAt !== undefined) this.#later(id, watch, expiresAt - this.#source.clock())
  }

  #later(id: string, watch: Watch, delayMs: number): void {
    clearTimeout(watch.timer)
    if (this.#watches.get(id) !== watch) return
    watch.timer = this.#source.background.timer(() => this.changed(id), Math.max(1, delayMs))
  }

  #end(id: string, watch: Watch, reason: LatchkeyError): void {
    clearTimeout(watch.timer)
    if (this.#watches.get(id) === watch) this.#watches.delete(id)
    const requests = [...watch.requests]
    watch.requests.clear()
    for (const ref of requests) ref.deref()?.abort(reason)
    watch.awaited.clear()
  }
}

const detachers: WeakMap<object, () => void> = new WeakMap()

/** Remembers how the signal that a principal gave is detached. */
export function rememberSignal(principal: object, detach: () => void): void {
  detachers.set(principal, detach)
}

/** Has the signal of this principal been read, and not been detached? */
export function hasSignal(principal: object): boolean {
  return detachers.has(principal)
}

/** The request of this principal is over: its signal is dropped, if it was ever read. */
export function detachSignal(principal: object): void {
  detachers.get(principal)?.()
  detachers.delete(principal)
}
