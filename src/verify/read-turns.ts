import { type Named, namesOf } from '../cache/guessing.js'
import { LookupShares } from '../cache/lookup-shares.js'
import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import type { Presenter } from '../model/presenter.js'
import { type CallSite, callOut, type Timing } from '../store/deadline.js'
import type { FaultPlace } from '../store/fault-places.js'
import type { Report } from '../store/reporter.js'
import { LimitedWork } from './limited-work.js'

/** More would only wait for a connection, where a flood by one caller delays all other work of the store. */
const AT_ONCE = 16
/** The maximum number of waiting reads. */
const MAX_WAITING = 10_000

type Job = { readonly named: Named; readonly dueAt: number; readonly start: () => void; readonly refuse: (error: Error) => void }

/**
 * Runs store reads that any caller can cause, and that neither a cache nor a batch answers: of tickets, and of tokens that are introspected, revoked by
 * possession or reported as leaked.
 *
 * A few run at once. Networks take turns, and so do the callers within each network.
 */
export class ReadTurns {
  readonly #timing: Timing
  readonly #site: Omit<CallSite, 'where' | 'leftMs'>
  readonly #shares: LookupShares = new LookupShares()
  readonly #networks: Map<string, Map<string, Set<Job>>> = new Map()
  readonly #work: LimitedWork
  #waiting = 0

  constructor(timing: Timing, report: Report) {
    this.#timing = timing
    this.#work = new LimitedWork(AT_ONCE, timing)
    this.#site = { what: 'the store', deadlineMs: timing.deadlineMs, report }
  }

  /**
   * Runs a read when it is its caller's turn. The wait counts against the deadline, and a read never starts if it would most likely end after it.
   * `read` must not end early at the caller's deadline, because the store would still work on it.
   *
   * @throws StoreUnavailableError `store_unavailable`, if the deadline passes or too many reads are waiting
   */
  async run<T>(from: Presenter, where: FaultPlace, leftMs: number | undefined, read: () => MaybePromise<T>): Promise<T> {
    const named = namesOf(from)
    if (this.#shares.isUsedUp(named, MAX_WAITING - this.#waiting)) {
      const error = new StoreUnavailableError('too many reads for this caller are waiting for the store')
      this.#site.report(where, error)
      throw error
    }
    this.#shares.add(named)
    const dueAt = this.#timing.monotonic() + (leftMs ?? this.#timing.deadlineMs)
    let job: Job | undefined
    try {
      return await callOut(
        { ...this.#site, where, leftMs },
        () =>
          new Promise<T>((resolve, reject) => {
            const start = (): void => void this.#work.run(read, () => this.#startNext()).then(resolve, reject)
            job = { named, dueAt, start, refuse: reject }
            if (this.#work.isFull) this.#wait(job)
            else start()
          }),
      )
    } finally {
      this.#shares.remove(named)
      if (job !== undefined) this.#leave(job)
    }
  }

  #wait(job: Job): void {
    const { site, caller } = job.named
    const callers = this.#networks.get(site) ?? new Map<string, Set<Job>>()
    const jobs = callers.get(caller) ?? new Set<Job>()
    this.#networks.set(site, callers)
    callers.set(caller, jobs.add(job))
    this.#waiting += 1
  }

  /** Removes a waiting read. Its network and caller go to the end of the line, if they have more. */
  #leave(job: Job): void {
    const { site, caller } = job.named
    const callers = this.#networks.get(site)
    const jobs = callers?.get(caller)
    if (callers === undefined || jobs?.delete(job) !== true) return
    this.#waiting -= 1
    callers.delete(caller)
    if (jobs.size > 0) callers.set(caller, jobs)
    this.#networks.delete(site)
    if (callers.size > 0) this.#networks.set(site, callers)
  }

  #startNext(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#leave(next)
      if (this.#work.isInTime(next.dueAt)) {
        next.start()
        return
      }
      next.refuse(new StoreUnavailableError('the store is too slow at the moment: this read would end too late'))
    }
  }

  #next(): Job | undefined {
    const [callers] = this.#networks.values()
    const [jobs] = callers?.values() ?? []
    const [next] = jobs ?? []
    return next
  }
}
