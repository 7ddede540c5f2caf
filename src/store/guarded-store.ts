import { StoreUnavailableError } from '../errors.js'
import type { ListedEvent, StoredEvent } from '../model/event.js'
import type { MaybePromise } from '../model/json.js'
import type { ListedToken, StoredToken } from '../model/record.js'
import type { UsageBatch, UsageQuery, UsageRows } from '../model/usage.js'
import { Breaker } from './breaker.js'
import { type CallSite, callOut, DeadlineError } from './deadline.js'
import { FoundRecords } from './found-records.js'
import type { StoreMethod } from './methods.js'
import type {
  BulkResult,
  Change,
  CommitResult,
  ConsumerState,
  EventQuery,
  FeedPage,
  ListQuery,
  NodeLease,
  RevocationStamp,
  TokenFilter,
  TokenStore,
  UsageTrim,
} from './port.js'
import { readBulkResult, readConsumers, readEvents, readFeedPage } from './read-answers.js'
import { readStored } from './read-stored.js'
import type { FaultPlace, Report } from './reporter.js'

const SETUP_DEADLINE_MS = 60_000
const DEFAULT_USAGE_ROWS = 500
const NO_TOKEN = '0'.repeat(16)

/** The store as the rest of latchkey sees it: every call has a deadline, every fault has one type, every answer has been looked at. */
export class GuardedStore {
  readonly name: string
  /** About how many rows a usage batch may have. */
  readonly usageRows: number
  readonly #store: TokenStore
  readonly #deadlineMs: number
  readonly #breaker: Breaker
  readonly #report: Report
  #ready: boolean
  #closing = false
  /** Did a call hang while the instance closed? */
  #hangs = false
  #setup: Promise<void> | undefined
  #onFirstUse: (() => void) | undefined

  constructor(store: TokenStore, deadlineMs: number, monotonic: () => number, report: Report) {
    this.#store = store
    this.#deadlineMs = deadlineMs
    this.#breaker = new Breaker(monotonic, (error) => report('store.find', error))
    this.#report = report
    this.name = typeof store.name === 'string' && store.name !== '' ? store.name.slice(0, 40) : 'custom'
    this.usageRows = Math.max(1, Number(store.usageRows) || DEFAULT_USAGE_ROWS)
    this.#ready = store.migrate === undefined
  }

  /** Calls this once, when the store is used for the first time. */
  whenUsed(call: () => void): void {
    this.#onFirstUse = call
  }

  // Only calls that began after the close: an earlier one says nothing of the store as it is now, and what it was to write is still to be written.
  readonly #heed: Report = (where, error) => {
    if (error instanceof DeadlineError) this.#hangs = true
    this.#report(where, error)
  }

  /** The records among `ids` that exist, for verifications: refused at once while the store is known to hang. */
  find(ids: readonly string[]): MaybePromise<FoundRecords> {
    return this.#breaker.run(() =>
      this.#call(
        'find',
        () => this.#store.find(ids),
        (answer) => this.#found(ids, answer),
      ),
    )
  }

  /** Asks for one record that most likely is not there, to see whether the store answers. */
  async probe(): Promise<void> {
    await this.find([NO_TOKEN])
  }

  /** Is the store known to hang? */
  get isBreakerOpen(): boolean {
    return this.#breaker.isOpen
  }

  /** The record with this id, for a change. */
  async findOne(id: string): Promise<StoredToken | undefined> {
    const ids = [id]
    const found = await this.#manage(
      'find',
      () => this.#store.find(ids),
      (answer) => this.#found(ids, answer),
    )
    return found.get(id)
  }

  async list(query: ListQuery): Promise<readonly ListedToken[]> {
    return await this.#manage(
      'list',
      () => this.#store.list(query),
      (answer) => this.#rows(answer, 'list').map((row) => readStored<ListedToken>(row, this.name)),
    )
  }

  async commit(change: Change): Promise<CommitResult> {
    return await this.#manage(
      'commit',
      () => this.#store.commit(change),
      (answer): CommitResult => {
        const { ok, conflict, exceeded } = Object(answer) as { ok?: unknown; conflict?: unknown; exceeded?: unknown }
        if (ok === true) return { ok: true }
        if (ok === false && typeof conflict === 'string') return { ok: false, conflict }
        if (ok === false && typeof exceeded === 'number' && change.caps?.[exceeded] !== undefined) return { ok: false, exceeded }
        throw this.#nonsense('commit')
      },
    )
  }

  /** Bulk revocations may be large: they get more time than other calls, unless the caller says how much. */
  async revokeWhere(
    filter: TokenFilter,
    stamp: RevocationStamp,
    event: StoredEvent,
    deadlineMs: number = SETUP_DEADLINE_MS,
  ): Promise<BulkResult> {
    return await this.#manage(
      'revokeWhere',
      () => this.#store.revokeWhere(filter, stamp, event),
      (answer) => this.#sound(readBulkResult(answer, event), 'revokeWhere'),
      deadlineMs,
    )
  }

  async events(query: EventQuery): Promise<readonly ListedEvent[]> {
    return await this.#manage(
      'events',
      () => this.#store.events(query),
      (answer) => this.#sound(readEvents(answer, query), 'events'),
    )
  }

  async changes(after: string | undefined, limit: number): Promise<FeedPage> {
    return await this.#call(
      'changes',
      () => this.#store.changes(after, limit),
      (answer) => this.#sound(readFeedPage(answer, after), 'changes'),
    )
  }

  /** Takes as long as the store takes: nobody waits for it, and a subscription that comes late is still one. */
  async subscribe(wake: () => void): Promise<() => MaybePromise<void>> {
    if (!this.#ready) await this.#prepare()
    try {
      const stop: unknown = await this.#store.subscribe?.(wake)
      if (typeof stop !== 'function') return () => undefined
      return () => callOut(this.#site('subscribe', this.#deadlineMs), () => stop(), ignored)
    } catch (error) {
      this.#report('store.subscribe', error)
      throw error
    }
  }

  async recordUsage(batch: UsageBatch): Promise<void> {
    await this.#manage('recordUsage', () => this.#store.recordUsage(batch), ignored)
  }

  async usage(query: UsageQuery): Promise<UsageRows> {
    return await this.#manage(
      'usage',
      () => this.#store.usage(query),
      (answer): UsageRows => {
        const { counts, addresses } = Object(answer) as Partial<UsageRows>
        if (Array.isArray(counts) && Array.isArray(addresses)) return { counts, addresses }
        throw this.#nonsense('usage')
      },
    )
  }

  async renewLease(lease: NodeLease): Promise<void> {
    await this.#call('renewLease', () => this.#store.renewLease(lease), ignored)
  }

  async leases(now: number): Promise<readonly NodeLease[]> {
    return await this.#manage(
      'leases',
      () => this.#store.leases(now),
      (answer) => this.#rows(answer, 'leases') as readonly NodeLease[],
    )
  }

  async consumers(prefix: string): Promise<readonly ConsumerState[]> {
    return await this.#manage(
      'consumers',
      () => this.#store.consumers(prefix),
      (answer) => this.#sound(readConsumers(answer, prefix), 'consumers'),
    )
  }

  async saveConsumer(state: ConsumerState): Promise<boolean> {
    return await this.#manage(
      'saveConsumer',
      () => this.#store.saveConsumer(state),
      (answer) => this.#sound(typeof answer === 'boolean' ? answer : undefined, 'saveConsumer'),
    )
  }

  async removeEvents(prefix: string, ids: readonly string[]): Promise<void> {
    await this.#manage('removeEvents', () => this.#store.removeEvents(prefix, ids), ignored)
  }

  async trimUsage(trim: UsageTrim): Promise<boolean> {
    return await this.#manage(
      'trimUsage',
      () => this.#store.trimUsage(trim),
      (answer) => this.#sound(typeof answer === 'boolean' ? answer : undefined, 'trimUsage'),
    )
  }

  /** Where the store cannot compare them, the answer is no. */
  reached(cursor: string, target: string): boolean {
    try {
      return this.#store.reached(cursor, target) === true
    } catch (error) {
      this.#report('store.reached', error)
      return false
    }
  }

  /** The object that was given, to count who shares it. */
  get origin(): TokenStore {
    return this.#store
  }

  /** From now on a call that hangs is the last one. */
  beginClose(): void {
    this.#closing = true
  }

  async close(): Promise<void> {
    const closed = callOut(this.#site('close', this.#deadlineMs), () => this.#store.close?.())
    if (this.#hangs) Promise.resolve(closed).catch(ignored)
    else await closed
  }

  // Management waits for the set-up as long as that takes; a verification waits for it only within its own deadline.
  async #manage<T>(method: StoreMethod, call: () => unknown, read: (answer: unknown) => T, deadlineMs?: number): Promise<T> {
    if (!this.#ready) await this.#prepare()
    return await this.#call(method, call, read, deadlineMs)
  }

  #call<T>(method: StoreMethod, call: () => unknown, read: (answer: unknown) => T, deadlineMs: number = this.#deadlineMs): MaybePromise<T> {
    if (this.#hangs) throw new StoreUnavailableError(`the ${this.name} store hangs, and the instance is closing`)
    this.#onFirstUse?.()
    this.#onFirstUse = undefined
    return callOut(this.#site(method, deadlineMs), this.#ready ? call : () => this.#prepare().then(call), read)
  }

  #prepare(): Promise<void> {
    this.#setup ??= Promise.resolve(callOut(this.#site('migrate', SETUP_DEADLINE_MS), () => this.#store.migrate?.())).then(
      () => {
        this.#ready = true
      },
      (error: unknown) => {
        this.#setup = undefined
        throw error
      },
    )
    return this.#setup
  }

  #site(method: StoreMethod, deadlineMs: number): CallSite {
    const where: FaultPlace = `store.${method}`
    return { what: `the ${this.name} store's ${method}()`, where, deadlineMs, report: this.#closing ? this.#heed : this.#report }
  }

  #found(ids: readonly string[], answer: unknown): FoundRecords {
    return new FoundRecords(this.#rows(answer, 'find'), ids, this.name, (error) => this.#report('store.find', error))
  }

  #rows(answer: unknown, method: string): readonly unknown[] {
    if (Array.isArray(answer)) return answer
    throw this.#nonsense(method)
  }

  #sound<T>(answer: T | undefined, method: string): T {
    if (answer !== undefined) return answer
    throw this.#nonsense(method)
  }

  #nonsense(method: string): StoreUnavailableError {
    return new StoreUnavailableError(`the ${this.name} store's ${method}() answered something that the store port does not allow`)
  }
}

const ignored = (): undefined => undefined
