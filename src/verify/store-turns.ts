import { type Named, namesOf, siteOfGroup } from '../cache/guessing.js'
import { Counts, isShareUsedUp, SITE_FACTOR, UNKNOWN_FACTOR } from '../cache/lookup-shares.js'
import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import type { Presenter } from '../model/presenter.js'
import type { Filtered } from '../store/compile-filter.js'
import { callOut, DeadlineError, isThenable, type Timing } from '../store/deadline.js'
import type { FaultPlace } from '../store/fault-places.js'
import type { Report } from '../store/reporter.js'
import { ignored, SETUP_DEADLINE_MS, type Track } from '../store/store-calls.js'
import { createTurns, startTimer } from '../store/timer.js'
import { Durations } from './durations.js'
import { LimitedWork } from './limited-work.js'
import { type Holder, type Waiting, WaitingParties } from './waiting-parties.js'

/** The maximum number of concurrent calls. More would only wait for a connection, where one caller could delay all other work of the store. */
const AT_ONCE = 16
/** The maximum number of concurrent reads of many rows. A tenant may hold six of these slots, and a pool of ten has seven connections for such reads. */
const LONG_AT_ONCE = 8
/** How long a read of many rows that was abandoned counts against its caller, unless it settles. No statement of the library's stores takes longer. */
const HOLD_MS = 90_000
/** The maximum number of concurrent changes. Stores make them one after another. */
const CHANGES_AT_ONCE = 4
/** Such changes may wait for locks for as long as the bulk revocation takes, and then find their token revoked. */
const OVERTAKEN_AT_ONCE = 2
/**
 * The part of all slots that a network, an actor or a tenant may hold, so that slow calls by one party leave slots to others. An actor may hold this part
 * of the slots of its tenant.
 */
const PART = 3 / 4
/** Work is never expected to take more than this part of the deadline. Otherwise, a caller whose calls have hung would be refused forever. */
const LONGEST = 3 / 4
/** The number of groups in which an actor may have calls at the same time. Further calls are queued as if the actor were a separate group. */
const MOST_GROUPS = 4
/** Actors in more tenants than this are queued separately, because they belong to none of these tenants in particular. */
const MOST_OF_A_GROUP = 10
/** The maximum number of waiting calls, apart from those of the application itself. */
const MAX_WAITING = 10_000

type Job = Waiting & {
  readonly named: Named
  readonly dueAt: number
  readonly start: () => void
  readonly refuse: (error: Error) => void
  /** Whether the work had to wait. Work that did not have to wait is never refused, because its duration shows whether the store is still slow. */
  waited: boolean
}

/** A party that waiting calls count for. Its part of the queue is `factor` times that of one caller. */
type Share = { readonly key: string; readonly factor: number }

/**
 * Runs store calls that any caller can cause, and that neither a cache nor a batch answers. These are reads of tickets, reads of tokens that are introspected,
 * revoked by possession or reported as leaked, and everything that the verbs read and change for an actor.
 *
 * A few run at the same time. Networks, or groups of actors, are served in turn, and so are the callers within each of them. No network, actor or tenant
 * can hold all slots.
 */
export class StoreTurns {
  readonly #timing: Timing
  readonly #report: Report
  /** How many calls each party has waiting or under way. */
  readonly #calls: Counts = new Counts()
  readonly #line: WaitingParties<Job> = new WaitingParties()
  readonly #work: LimitedWork
  readonly #durations: Durations
  readonly #yieldTurn: () => Promise<void>
  /** The maximum number of calls by one network, actor or tenant that run at the same time. */
  readonly #most: number
  readonly #holdMs: number
  /** How many calls each actor has under way, by group. */
  readonly #groups: Map<string, Counts> = new Map()
  #waiting = 0
  #starting = false

  /** Work that was abandoned, and still keeps the store busy, counts against its caller for `holdMs`. Other callers then no longer wait for it. */
  constructor(timing: Timing, report: Report, atOnce: number = AT_ONCE, holdMs = 0) {
    this.#timing = timing
    this.#report = report
    this.#work = new LimitedWork(atOnce, timing.deadlineMs)
    this.#durations = new Durations(timing.deadlineMs * LONGEST)
    this.#yieldTurn = createTurns(timing.monotonic)
    this.#most = partOf(atOnce)
    this.#holdMs = holdMs
  }

  /**
   * Queues work and runs it when its caller is served. The wait counts against the deadline, and work that would most likely miss the deadline is not started.
   * `work` must not end early at the caller's deadline, because the store would still be busy with it.
   *
   * @throws StoreUnavailableError `store_unavailable`, if the deadline passes or too many calls are waiting
   */
  async run<T>(from: Presenter, where: FaultPlace, leftMs: number | undefined, work: (track: Track) => MaybePromise<T>): Promise<T> {
    const names = namesOf(from)
    const named = this.#turnsOf(names)
    const shares = named.unlimited ? [] : sharesOf(named)
    const free = MAX_WAITING - this.#waiting
    if (shares.some(({ key, factor }) => isShareUsedUp(this.#calls.of(key), factor, free))) {
      const error = new StoreUnavailableError('too many calls for this caller are waiting for the store')
      this.#report(where, error)
      throw error
    }
    this.#enter(named, shares)
    const { monotonic, deadlineMs } = this.#timing
    const dueAt = monotonic() + (leftMs ?? deadlineMs)
    // Within a site, calls by one caller for different tenants wait separately.
    const waiting: Waiting = { site: named.site, caller: names.caller, holders: this.#holdersOf(names) }
    let job: Job | undefined
    let started: Promise<unknown> | undefined
    const report: Report = (place, error) => {
      const tell = (): void => this.#report(place, error)
      // The abandoned call may still fail, and is then reported separately.
      if (started !== undefined && error instanceof DeadlineError) started.then(tell, ignored)
      else tell()
    }
    try {
      return await callOut(
        { what: `the store's ${where.replace('store.', '')}()`, where, deadlineMs, leftMs, report },
        () =>
          new Promise<T>((resolve, reject) => {
            const start = (): void => {
              const result = this.#start(waiting, work)
              started = result
              result.then(resolve, reject)
            }
            job = { ...waiting, named, dueAt, start, refuse: reject, waited: false }
            this.#line.add(job)
            if (!named.unlimited) this.#waiting += 1
            void this.#startNext()
            job.waited = true
          }),
      )
    } finally {
      if (job !== undefined) this.#leave(job)
      this.#exit(named, shares)
    }
  }

  #start<T>(waiting: Waiting, work: (track: Track) => MaybePromise<T>): Promise<T> {
    const began = this.#timing.monotonic()
    const storeWork = new StoreWork()
    this.#line.take(waiting)
    return this.#work.run(
      () => work(storeWork.track),
      () => {
        this.#durations.add(waiting.caller, this.#timing.monotonic() - began)
        storeWork.whenDone(this.#holdMs, () => {
          this.#line.giveBack(waiting)
          void this.#startNext()
        })
        void this.#startNext()
      },
    )
  }

  /** Returns every party to which a call is attributed. Within a tenant, an actor leaves slots to the others. */
  #holdersOf({ caller, site, name, tenants }: Named): readonly Holder[] {
    const limits = new Map(name === undefined ? [] : [[caller, partOf(this.#most)]])
    for (const key of [site, name ?? site, ...tenants.map((tenant) => siteOfGroup([tenant]))]) limits.set(key, this.#most)
    return Array.from(limits, ([key, most]) => ({ key, most }))
  }

  /** An actor that acts in one tenant after another is served no more often than one that acts in only a few. */
  #turnsOf(named: Named): Named {
    const { name, site, unlimited } = named
    if (name === undefined || name === site || unlimited) return named
    const groups = this.#groups.get(name)
    return groups === undefined || groups.of(site) > 0 || groups.size < MOST_GROUPS
      ? named
      : { ...named, site: name, caller: name, limitedSite: undefined }
  }

  #enter(named: Named, shares: readonly Share[]): void {
    const { name, site, unlimited } = named
    if (unlimited) return
    for (const { key } of shares) this.#calls.add(key)
    if (name === undefined) return
    const groups = this.#groups.get(name) ?? new Counts()
    this.#groups.set(name, groups)
    groups.add(site)
  }

  #exit(named: Named, shares: readonly Share[]): void {
    const { name, site, unlimited } = named
    if (unlimited) return
    for (const { key } of shares) this.#calls.remove(key)
    if (name === undefined) return
    const groups = this.#groups.get(name)
    groups?.remove(site)
    if (groups?.size === 0) this.#groups.delete(name)
  }

  #leave(job: Job): void {
    if (this.#line.remove(job) && !job.named.unlimited) this.#waiting -= 1
  }

  /** Starts as many waiting calls as there are slots for. */
  async #startNext(): Promise<void> {
    if (this.#starting) return
    this.#starting = true
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        this.#leave(next)
        const leftMs = next.dueAt - this.#timing.monotonic()
        if (!next.waited || leftMs > this.#durations.expected(next.caller)) next.start()
        else next.refuse(new StoreUnavailableError('the store is too slow at the moment: this call would miss its deadline'))
        // Stores that answer synchronously would otherwise block the event loop until the last call.
        if (!this.#line.isEmpty) await this.#yieldTurn()
      }
    } finally {
      this.#starting = false
    }
  }

  /** Returns the next work, if there is a slot for it. */
  #next(): Job | undefined {
    return this.#work.isFull ? undefined : this.#line.next()
  }
}

/** What a store does for one call. It may continue after the call was abandoned. */
class StoreWork {
  #busy = false
  #done: () => void = ignored

  readonly track: Track = (answer) => {
    if (!isThenable(answer)) return answer
    // Wrapped once, because a lazy query runs again for each caller of its `then`.
    const pending = Promise.resolve(answer)
    const settled = (): void => {
      this.#busy = false
      this.#done()
    }
    this.#busy = true
    pending.then(settled, settled)
    return pending
  }

  /** Calls `done` once, as soon as the store has finished, or after this time. */
  whenDone(holdMs: number, done: () => void): void {
    if (!this.#busy || holdMs === 0) {
      done()
      return
    }
    const end = (): void => {
      clearTimeout(timer)
      this.#done = ignored
      done()
    }
    const timer = startTimer(end, holdMs)
    this.#done = end
  }
}

/** Returns every party to which a waiting call is attributed. */
function sharesOf({ caller, name, tenants, limitedSite }: Named): readonly Share[] {
  const sites = tenants.length > 0 ? tenants.map((tenant) => siteOfGroup([tenant])) : limitedSite === undefined ? [] : [limitedSite]
  return [{ key: name ?? caller, factor: caller === '' ? UNKNOWN_FACTOR : 1 }, ...sites.map((key) => ({ key, factor: SITE_FACTOR }))]
}

function partOf(places: number): number {
  return Math.max(1, Math.floor(places * PART))
}

/** The queues of actors' calls, one for each kind of call, so that revocations wait neither for long lists nor for large bulk revocations. */
export class ActorTurns {
  /** For reads by ID, with which every change begins. */
  readonly short: StoreTurns
  /** For reads of many rows. */
  readonly long: StoreTurns
  /** For changes to single tokens, and for tickets. */
  readonly changes: StoreTurns
  /** For changes to tokens that `revoking` includes. */
  readonly overtaken: StoreTurns
  readonly bulk: StoreTurns
  /** The bulk revocations in the store. */
  readonly revoking: Set<(token: Filtered) => boolean> = new Set()

  constructor(timing: Timing, report: Report) {
    this.short = new StoreTurns(timing, report)
    this.long = new StoreTurns(timing, report, LONG_AT_ONCE, HOLD_MS)
    this.changes = new StoreTurns(timing, report, CHANGES_AT_ONCE)
    this.overtaken = new StoreTurns(timing, report, OVERTAKEN_AT_ONCE)
    this.bulk = new StoreTurns({ monotonic: timing.monotonic, deadlineMs: SETUP_DEADLINE_MS }, report, CHANGES_AT_ONCE)
  }
}

/** Returns the group in which the actors of these tenants are queued; `undefined` for those that belong to no tenant in particular. */
export function groupOf(tenants: readonly string[]): readonly string[] | undefined {
  const group = new Set<string>()
  for (const tenant of tenants) if (group.add(tenant).size > MOST_OF_A_GROUP) return undefined
  return group.size === 0 ? undefined : [...group].sort()
}
