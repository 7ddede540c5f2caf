import { type Named, namesOf } from '../cache/guessing.js'
import { Counts, LookupShares } from '../cache/lookup-shares.js'
import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import type { Presenter } from '../model/presenter.js'
import { callOut, DeadlineError, type Timing } from '../store/deadline.js'
import type { FaultPlace } from '../store/fault-places.js'
import type { Report } from '../store/reporter.js'
import { ignored, SETUP_DEADLINE_MS } from '../store/store-calls.js'
import { createTurns } from '../store/timer.js'
import { Durations } from './durations.js'
import { LimitedWork } from './limited-work.js'

/** More would only wait for a connection, where a flood by one caller delays all other work of the store. */
const AT_ONCE = 16
/** Stores make one change after the other, and a change may wait for a long bulk revocation of its token. The connections must suffice for other changes. */
const CHANGES_AT_ONCE = 4
/** The part of all places that the callers of one network may hold, so that slow calls of one leave places to others. */
const PART_OF_A_NETWORK = 3 / 4
/** The part of the deadline that work is expected to take at most, so that calls of somebody whose calls have hung are not refused forever. */
const LONGEST = 3 / 4
/** The number of groups in which somebody may have calls at the same time. More calls take turns as if their actor were a group of its own. */
const MOST_GROUPS = 4
/** Actors in more tenants than this take turns on their own: they belong to none of them in particular. */
const MOST_OF_A_GROUP = 10
/** The maximum number of waiting calls, apart from those of the application itself. */
const MAX_WAITING = 10_000

type Job = {
  readonly named: Named
  readonly dueAt: number
  readonly start: () => void
  readonly refuse: (error: Error) => void
  /** Work that need not wait is never refused: how long it takes shows whether the store is still slow. */
  waited: boolean
}

/**
 * Runs store calls that any caller can cause, and that neither a cache nor a batch answers: reads of tickets, and of tokens that are introspected, revoked by
 * possession or reported as leaked; and everything that the verbs read and change for an actor.
 *
 * A few run at once. Networks, or groups of actors, take turns, and so do the callers within each of them.
 */
export class StoreTurns {
  readonly #timing: Timing
  readonly #report: Report
  readonly #shares: LookupShares = new LookupShares()
  readonly #networks: Map<string, Map<string, Set<Job>>> = new Map()
  readonly #work: LimitedWork
  readonly #durations: Durations
  readonly #yieldTurn: () => Promise<void>
  /** The most calls of one network that run at once. */
  readonly #mostOfNetwork: number
  /** How many calls of each network are running. */
  readonly #running: Counts = new Counts()
  /** How many calls each actor has under way, by group. */
  readonly #groups: Map<string, Counts> = new Map()
  #waiting = 0
  #starting = false

  constructor(timing: Timing, report: Report, atOnce: number = AT_ONCE) {
    this.#timing = timing
    this.#report = report
    this.#work = new LimitedWork(atOnce, timing.deadlineMs)
    this.#durations = new Durations(timing.deadlineMs * LONGEST)
    this.#yieldTurn = createTurns(timing.monotonic)
    this.#mostOfNetwork = atOnce * PART_OF_A_NETWORK
  }

  /**
   * Runs work when it is its caller's turn. The wait counts against the deadline, and work never starts if it would most likely end after it.
   * `work` must not end early at the caller's deadline, because the store would still be busy with it.
   *
   * @throws StoreUnavailableError `store_unavailable`, if the deadline passes or too many calls are waiting
   */
  async run<T>(from: Presenter, where: FaultPlace, leftMs: number | undefined, work: () => MaybePromise<T>): Promise<T> {
    const named = this.#turnsOf(namesOf(from))
    if (!named.unlimited && this.#shares.isUsedUp(named, MAX_WAITING - this.#waiting)) {
      const error = new StoreUnavailableError('too many calls for this caller are waiting for the store')
      this.#report(where, error)
      throw error
    }
    this.#enter(named)
    const { monotonic, deadlineMs } = this.#timing
    const dueAt = monotonic() + (leftMs ?? deadlineMs)
    let job: Job | undefined
    let started: Promise<unknown> | undefined
    const report: Report = (place, error) => {
      const tell = (): void => this.#report(place, error)
      // The call that its caller gave up may still fail, and is then reported by itself.
      if (started !== undefined && error instanceof DeadlineError) started.then(tell, ignored)
      else tell()
    }
    try {
      return await callOut(
        { what: `the store's ${where.replace('store.', '')}()`, where, deadlineMs, leftMs, report },
        () =>
          new Promise<T>((resolve, reject) => {
            const start = (): void => {
              const result = this.#start(named, work)
              started = result
              result.then(resolve, reject)
            }
            job = { named, dueAt, start, refuse: reject, waited: false }
            this.#wait(job)
            void this.#startNext()
            job.waited = true
          }),
      )
    } finally {
      if (job !== undefined) this.#leave(job)
      this.#exit(named)
    }
  }

  #start<T>({ site }: Named, work: () => MaybePromise<T>): Promise<T> {
    const began = this.#timing.monotonic()
    this.#running.add(site)
    return this.#work.run(work, () => {
      this.#running.remove(site)
      this.#durations.add(site, this.#timing.monotonic() - began)
      void this.#startNext()
    })
  }

  /** An actor that acts in one tenant after the other takes no more turns than one that acts in a few. */
  #turnsOf(named: Named): Named {
    const { name, site } = named
    if (name === undefined || name === site) return named
    const groups = this.#groups.get(name)
    return groups === undefined || groups.of(site) > 0 || groups.size < MOST_GROUPS
      ? named
      : { ...named, site: name, caller: name, limitedSite: undefined }
  }

  #enter(named: Named): void {
    const { name, site, unlimited } = named
    if (!unlimited) this.#shares.add(named)
    if (name === undefined) return
    const groups = this.#groups.get(name) ?? new Counts()
    this.#groups.set(name, groups)
    groups.add(site)
  }

  #exit(named: Named): void {
    const { name, site, unlimited } = named
    if (!unlimited) this.#shares.remove(named)
    if (name === undefined) return
    const groups = this.#groups.get(name)
    groups?.remove(site)
    if (groups?.size === 0) this.#groups.delete(name)
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

  /** Starts as many waiting calls as there are places for. */
  async #startNext(): Promise<void> {
    if (this.#starting) return
    this.#starting = true
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        this.#leave(next)
        const leftMs = next.dueAt - this.#timing.monotonic()
        if (!next.waited || leftMs > this.#durations.expected(next.named.site)) next.start()
        else next.refuse(new StoreUnavailableError('the store is too slow at the moment: this call would end too late'))
        // Stores that answer synchronously would otherwise block the event loop until the last call.
        if (this.#networks.size > 0) await this.#yieldTurn()
      }
    } finally {
      this.#starting = false
    }
  }

  /** The work whose turn it is, if there is a place for it. */
  #next(): Job | undefined {
    if (this.#work.isFull) return undefined
    for (const [site, callers] of this.#networks) {
      if (this.#running.of(site) >= this.#mostOfNetwork) continue
      const [jobs] = callers.values()
      const [next] = jobs ?? []
      return next
    }
    return undefined
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
    this.changes = new StoreTurns(timing, report, CHANGES_AT_ONCE)
    this.bulk = new StoreTurns({ monotonic: timing.monotonic, deadlineMs: SETUP_DEADLINE_MS }, report, CHANGES_AT_ONCE)
  }
}

/** Returns the group in which the actors of these tenants take turns; `undefined` for those that belong to no tenant in particular. */
export function groupOf(tenants: readonly string[]): string | undefined {
  return tenants.length === 0 || tenants.length > MOST_OF_A_GROUP ? undefined : JSON.stringify([...tenants].sort())
}
