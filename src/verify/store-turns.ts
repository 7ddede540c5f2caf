import { type Named, namesOf } from '../cache/guessing.js'
import { LookupShares } from '../cache/lookup-shares.js'
import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import type { Presenter } from '../model/presenter.js'
import { type CallSite, callOut, type Timing } from '../store/deadline.js'
import type { FaultPlace } from '../store/fault-places.js'
import type { Report } from '../store/reporter.js'
import { SETUP_DEADLINE_MS } from '../store/store-calls.js'
import { createTurns } from '../store/timer.js'
import { LimitedWork } from './limited-work.js'

/** More would only wait for a connection, where a flood by one caller delays all other work of the store. */
const AT_ONCE = 16
/** Bulk revocations may be large, and most stores make one after the other. */
const BULK_AT_ONCE = 4
/** Actors in more tenants than this take turns on their own: they belong to none of them in particular. */
const MOST_OF_A_GROUP = 10
/** The maximum number of waiting calls, apart from those of the application itself. */
const MAX_WAITING = 10_000

type Job = { readonly named: Named; readonly dueAt: number; readonly start: () => void; readonly refuse: (error: Error) => void }

/**
 * Runs store calls that any caller can cause, and that neither a cache nor a batch answers: reads of tickets, and of tokens that are introspected, revoked by
 * possession or reported as leaked; and everything that the verbs read and change for an actor.
 *
 * A few run at once. Networks, or groups of actors, take turns, and so do the callers within each of them.
 */
export class StoreTurns {
  readonly #timing: Timing
  readonly #site: Omit<CallSite, 'where' | 'leftMs'>
  readonly #shares: LookupShares = new LookupShares()
  readonly #networks: Map<string, Map<string, Set<Job>>> = new Map()
  readonly #work: LimitedWork
  readonly #yieldTurn: () => Promise<void>
  #waiting = 0

  constructor(timing: Timing, report: Report, atOnce: number = AT_ONCE) {
    this.#timing = timing
    this.#work = new LimitedWork(atOnce, timing)
    this.#yieldTurn = createTurns(timing.monotonic)
    this.#site = { what: 'the store', deadlineMs: timing.deadlineMs, report }
  }

  /**
   * Runs work when it is its caller's turn. The wait counts against the deadline, and work never starts if it would most likely end after it.
   * `work` must not end early at the caller's deadline, because the store would still be busy with it.
   *
   * @throws StoreUnavailableError `store_unavailable`, if the deadline passes or too many calls are waiting
   */
  async run<T>(from: Presenter, where: FaultPlace, leftMs: number | undefined, work: () => MaybePromise<T>): Promise<T> {
    const named = namesOf(from)
    if (!named.unlimited && this.#shares.isUsedUp(named, MAX_WAITING - this.#waiting)) {
      const error = new StoreUnavailableError('too many calls for this caller are waiting for the store')
      this.#site.report(where, error)
      throw error
    }
    if (!named.unlimited) this.#shares.add(named)
    const dueAt = this.#timing.monotonic() + (leftMs ?? this.#timing.deadlineMs)
    let job: Job | undefined
    try {
      return await callOut(
        { ...this.#site, where, leftMs },
        () =>
          new Promise<T>((resolve, reject) => {
            const start = (): void => void this.#work.run(work, () => void this.#startNext()).then(resolve, reject)
            job = { named, dueAt, start, refuse: reject }
            if (this.#work.isFull || this.#networks.size > 0) this.#wait(job)
            else start()
          }),
      )
    } finally {
      if (!named.unlimited) this.#shares.remove(named)
      if (job !== undefined) this.#leave(job)
    }
  }

  #wait(job: Job): void {
    const { site, caller } = job.named
    const callers = this.#networks.get(site) ?? new Map<string, Set<Job>>()
    const jobs = callers.get(caller) ?? new Set<Job>()
    this.#networks.set(site, callers)
    callers.set(caller, jobs.add(job))
    if (!job.named.unlimited) this.#waiting += 1
  }

  /** Removes waiting work. Its network and caller go to the end of the line, if they have more. */
  #leave(job: Job): void {
    const { site, caller } = job.named
    const callers = this.#networks.get(site)
    const jobs = callers?.get(caller)
    if (callers === undefined || jobs?.delete(job) !== true) return
    if (!job.named.unlimited) this.#waiting -= 1
    callers.delete(caller)
    if (jobs.size > 0) callers.set(caller, jobs)
    this.#networks.delete(site)
    if (callers.size > 0) this.#networks.set(site, callers)
  }

  async #startNext(): Promise<void> {
    if (this.#networks.size === 0) return
    // Stores that answer synchronously would otherwise block the event loop until the last call.
    await this.#yieldTurn()
    for (let next = this.#next(); next !== undefined && !this.#work.isFull; next = this.#next()) {
      this.#leave(next)
      if (this.#work.isInTime(next.dueAt)) {
        next.start()
        return
      }
      next.refuse(new StoreUnavailableError('the store is too slow at the moment: this call would end too late'))
    }
  }

  #next(): Job | undefined {
    const [callers] = this.#networks.values()
    const [jobs] = callers?.values() ?? []
    const [next] = jobs ?? []
    return next
  }
}

/** The turns of actors. Each kind of call waits only for its own kind, so that revocations wait neither for long lists nor for large bulk revocations. */
export class ActorTurns {
  /** For reads by ID, with which every change begins. */
  readonly short: StoreTurns
  /** For reads of many rows. */
  readonly long: StoreTurns
  /** For changes to single tokens, and for tickets. */
  readonly changes: StoreTurns
  readonly bulk: StoreTurns

  constructor(timing: Timing, report: Report) {
    this.short = new StoreTurns(timing, report)
    this.long = new StoreTurns(timing, report)
    this.changes = new StoreTurns(timing, report)
    this.bulk = new StoreTurns({ monotonic: timing.monotonic, deadlineMs: SETUP_DEADLINE_MS }, report, BULK_AT_ONCE)
  }
}

/** Returns the group in which the actors of these tenants take turns; `undefined` for those that belong to no tenant in particular. */
export function groupOf(tenants: readonly string[]): string | undefined {
  return tenants.length === 0 || tenants.length > MOST_OF_A_GROUP ? undefined : JSON.stringify([...tenants].sort())
}
