import { StoreUnavailableError } from '../errors.js'
import type {
  Change,
  CommitResult,
  EventQuery,
  FeedPage,
  ListedEvent,
  ListedToken,
  ListQuery,
  MaybePromise,
  NodeLease,
  RevocationStamp,
  StoredEvent,
  StoredToken,
  TokenFilter,
  TokenStore,
  UsageBatch,
  UsageQuery,
  UsageRows,
} from '../store.js'
import { Breaker } from './breaker.js'
import { callOut, isThenable } from './deadline.js'
import { readStored } from './read-stored.js'

const SETUP_DEADLINE_MS = 60_000

/** The store as the rest of latchkey sees it: every call has a deadline, every fault has one type, every answer has been looked at. */
export class GuardedStore {
  readonly name: string
  readonly #store: TokenStore
  readonly #deadlineMs: number
  readonly #breaker: Breaker
  #ready: boolean
  #setup: Promise<void> | undefined

  constructor(store: TokenStore, deadlineMs: number, monotonic: () => number) {
    this.#store = store
    this.#deadlineMs = deadlineMs
    this.#breaker = new Breaker(monotonic)
    this.name = typeof store.name === 'string' && store.name !== '' ? store.name.slice(0, 40) : 'custom'
    this.#ready = store.migrate === undefined
  }

  /** The records among `ids` that exist. Bounded in number of calls at once; refused at once while the store is known to hang. */
  find(ids: readonly string[]): MaybePromise<ReadonlyMap<string, StoredToken>> {
    const answer = this.#breaker.run(() => this.#call('find', this.#deadlineMs, () => this.#store.find(ids)))
    return isThenable(answer) ? answer.then((rows) => this.#index(ids, rows)) : this.#index(ids, answer)
  }

  async list(query: ListQuery): Promise<readonly ListedToken[]> {
    const rows = this.#rows(await this.#manage('list', () => this.#store.list(query)), 'list')
    return rows.map((row) => readStored<ListedToken>(row, this.name))
  }

  async commit(change: Change): Promise<CommitResult> {
    const result: unknown = await this.#manage('commit', () => this.#store.commit(change))
    const { ok, conflict } = Object(result) as { ok?: unknown; conflict?: unknown }
    if (ok === true) return { ok: true }
    if (ok === false && typeof conflict === 'string') return { ok: false, conflict }
    throw this.#nonsense('commit')
  }

  async revokeWhere(filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Promise<number> {
    const count: unknown = await this.#manage('revokeWhere', () => this.#store.revokeWhere(filter, stamp, event), SETUP_DEADLINE_MS)
    if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count
    throw this.#nonsense('revokeWhere')
  }

  async events(query: EventQuery): Promise<readonly ListedEvent[]> {
    return this.#rows(await this.#manage('events', () => this.#store.events(query)), 'events') as readonly ListedEvent[]
  }

  async changes(after: string | undefined, limit: number): Promise<FeedPage> {
    const page: unknown = await this.#call('changes', this.#deadlineMs, () => this.#store.changes(after, limit))
    if (isFeedPage(page)) return page
    throw this.#nonsense('changes')
  }

  async subscribe(wake: () => void): Promise<() => MaybePromise<void>> {
    if (this.#store.subscribe === undefined) return () => undefined
    const stop: unknown = await this.#call('subscribe', this.#deadlineMs, () => this.#store.subscribe?.(wake))
    return typeof stop === 'function' ? (stop as () => MaybePromise<void>) : () => undefined
  }

  async recordUsage(batch: UsageBatch): Promise<void> {
    await this.#manage('recordUsage', () => this.#store.recordUsage(batch))
  }

  async usage(query: UsageQuery): Promise<UsageRows> {
    const rows: unknown = await this.#manage('usage', () => this.#store.usage(query))
    const { counts, addresses } = Object(rows) as Partial<UsageRows>
    if (Array.isArray(counts) && Array.isArray(addresses)) return { counts, addresses }
    throw this.#nonsense('usage')
  }

  async renewLease(lease: NodeLease): Promise<void> {
    await this.#call('renewLease', this.#deadlineMs, () => this.#store.renewLease(lease))
  }

  async leases(now: number): Promise<readonly NodeLease[]> {
    return this.#rows(await this.#manage('leases', () => this.#store.leases(now)), 'leases') as readonly NodeLease[]
  }

  reached(cursor: string, target: string): boolean {
    return this.#store.reached(cursor, target) === true
  }

  /** The object that was given, to count who shares it. */
  get origin(): TokenStore {
    return this.#store
  }

  async close(): Promise<void> {
    await callOut(`closing the ${this.name} store`, this.#deadlineMs, () => this.#store.close?.())
  }

  // Management waits for the set-up as long as that takes; a verification waits for it only within its own deadline.
  async #manage<T>(method: string, call: () => MaybePromise<T>, deadlineMs: number = this.#deadlineMs): Promise<T> {
    if (!this.#ready) await this.#prepare()
    return await this.#call(method, deadlineMs, call)
  }

  #call<T>(method: string, deadlineMs: number, call: () => MaybePromise<T>): MaybePromise<T> {
    const what = `the ${this.name} store's ${method}()`
    if (this.#ready) return callOut(what, deadlineMs, call)
    return callOut(what, deadlineMs, () => this.#prepare().then(call))
  }

  #prepare(): Promise<void> {
    this.#setup ??= Promise.resolve(callOut(`setting up the ${this.name} store`, SETUP_DEADLINE_MS, () => this.#store.migrate?.())).then(
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

  #index(ids: readonly string[], answer: unknown): ReadonlyMap<string, StoredToken> {
    const found = new Map<string, StoredToken>()
    for (const row of this.#rows(answer, 'find')) {
      const record = readStored<StoredToken>(row, this.name)
      // A record that was not asked for means that the store cannot be believed about the others either.
      if (!ids.includes(record.id)) throw this.#nonsense('find')
      found.set(record.id, record)
    }
    return found
  }

  #rows(answer: unknown, method: string): readonly unknown[] {
    if (Array.isArray(answer)) return answer
    throw this.#nonsense(method)
  }

  #nonsense(method: string): StoreUnavailableError {
    return new StoreUnavailableError(`the ${this.name} store's ${method}() answered something that the store port does not allow`)
  }
}

function isFeedPage(value: unknown): value is FeedPage {
  const page = Object(value) as Partial<FeedPage>
  return (
    typeof page.cursor === 'string' &&
    Array.isArray(page.ids) &&
    Array.isArray(page.ownerIds) &&
    typeof page.everything === 'boolean' &&
    typeof page.more === 'boolean'
  )
}
