import { type Named, namesOf, SecretGuesses } from '../cache/guessing.js'
import { StoreUnavailableError } from '../errors.js'
import type { TokenFormat } from '../model/format.js'
import type { MaybePromise } from '../model/json.js'
import type { Presenter } from '../model/presenter.js'
import { type CallSite, callOut } from '../store/deadline.js'
import { deferred } from '../store/deferred.js'
import type { Report } from '../store/reporter.js'
import { LimitedWork } from './limited-work.js'

/** The maximum number of slow hashes computed at once. */
const AT_ONCE = 4
/** How many of them may be for signed reports, whose wrong secrets are not limited. */
const SIGNED_AT_ONCE = 2
const MAX_WAITING = 64
/** How long a comparison that does not settle keeps its slot, unless the deadline is longer. */
const HOLD_MS = 60_000
/** A caller with less time left would most likely get the answer too late. */
const LEAST_LEFT_MS = 5
const TOO_LATE = 'comparisons with slow hashes take too long at the moment'
const GUESSING = 'too many wrong secrets for this imported token came from this caller'

/** The parties that are served in turn: tokens, then networks, then addresses. An attacker of one token, or the owner of a network, may have many addresses. */
type Party = Pick<Named, 'site' | 'caller' | 'signed'> & { readonly token: string }
const TURNS = ['token', 'site', 'caller'] as const

/** A credential that is presented for the token with this ID. One object for each request. */
type Attempt = { readonly id: string; readonly format: TokenFormat; readonly credential: string }

/** The values to compare, the parties they are compared for, and a callback for the result, which may arrive after all callers have given up. */
type Question = {
  readonly attempt: Attempt
  readonly hash: string
  readonly from: Presenter
  readonly leftMs: number | undefined
  readonly settled: (same: boolean) => void
}

/** A waiting or running comparison, and the party that it is for. */
type Job = {
  readonly party: Party
  readonly found: Promise<boolean>
  readonly start: () => void
  readonly refuse: (error: StoreUnavailableError) => void
  begun: boolean
  /** The number of callers that wait for it, and when the last of them gives up. */
  callers: number
  dueAt: number
}

/**
 * Compares credentials with slow hashes: a few at a time, and once for all concurrent requests with the same pair. No caller waits for longer than its
 * deadline.
 *
 * A comparison that has begun keeps its slot until it settles, and its result counts even if all callers have given up.
 *
 * A later request with the same pair waits for it instead of starting it again. Tokens, networks and addresses are served in turn, and the busiest party
 * waits. Guesses at one token, or from one network, therefore do not delay the first use of another token from elsewhere.
 */
export class SlowHashes {
  readonly #deadlineMs: number
  readonly #holdMs: number
  readonly #monotonic: () => number
  readonly #report: Report
  readonly #guesses: SecretGuesses
  readonly #underWay: Map<string, Job> = new Map()
  readonly #waiting: Set<Job> = new Set()
  readonly #running: Set<Party> = new Set()
  readonly #work: LimitedWork
  /** Attempts that were charged before their comparison. */
  readonly #charged: WeakSet<Attempt> = new WeakSet()

  constructor(deadlineMs: number, monotonic: () => number, report: Report) {
    this.#deadlineMs = deadlineMs
    this.#holdMs = Math.max(HOLD_MS, deadlineMs)
    this.#monotonic = monotonic
    this.#report = report
    this.#work = new LimitedWork(AT_ONCE, this.#holdMs)
    this.#guesses = new SecretGuesses(monotonic)
  }

  /**
   * Returns whether the hash of this token was made from this credential. `name` identifies the pair. The request that starts the comparison gets the result
   * through its `settled` callback, even if that request has been refused in the meantime.
   *
   * @throws StoreUnavailableError `store_unavailable`, if this takes too long, too many are waiting, or the caller has sent too many wrong secrets
   */
  async compare(name: string, question: Question): Promise<boolean> {
    const { attempt, hash, leftMs } = question
    const known = this.#underWay.get(name)
    const job = known ?? this.#admit(name, question)
    job.callers += 1
    job.dueAt = Math.max(job.dueAt, this.#monotonic() + (leftMs ?? this.#deadlineMs))
    try {
      return await callOut({ ...this.#siteOf(attempt.format, attempt.credential, hash), leftMs }, () => {
        if (known === undefined) this.#enter(job)
        return job.found
      })
    } finally {
      job.callers -= 1
      if (job.callers === 0) this.#leave(job)
    }
  }

  /**
   * Charges a credential for each token that it names and did not prove, unless a comparison was already charged for that token. Tokens that do not exist are
   * charged like those with a slow hash, so that the limit does not show which tokens exist.
   *
   * @throws StoreUnavailableError `store_unavailable`, if the caller has sent too many wrong secrets
   */
  missed(attempts: readonly Attempt[], from: Presenter): void {
    const named = namesOf(from)
    const tokens = attempts.filter((attempt) => !this.#charged.has(attempt)).map(({ id }) => id)
    if (tokens.some((token) => this.#guesses.spent(named, token))) throw new StoreUnavailableError(GUESSING)
    for (const token of tokens) this.#guesses.spend(named, token)
  }

  /** Refunds failed comparisons with a credential that turned out to prove another token. */
  proved(attempts: readonly Attempt[], from: Presenter): void {
    for (const attempt of attempts) this.#refund(attempt, namesOf(from))
  }

  #refund(attempt: Attempt, named: Named): void {
    if (this.#charged.delete(attempt)) this.#guesses.refund(named, attempt.id)
  }

  /** @throws StoreUnavailableError `store_unavailable` */
  #admit(name: string, { attempt, hash, from, settled }: Question): Job {
    const { id: token, format, credential } = attempt
    const named = namesOf(from)
    if (this.#guesses.spent(named, token)) throw new StoreUnavailableError(GUESSING)
    const party = { token, site: named.site, caller: named.caller, signed: named.signed }
    if (this.#waiting.size >= MAX_WAITING) this.#makeRoom(party)
    // Charged before the comparison; otherwise, any number of concurrent guesses would be compared.
    this.#guesses.spend(named, token)
    this.#charged.add(attempt)
    const { promise: compared, resolve, reject } = deferred<boolean>()
    const site = { ...this.#siteOf(format, credential, hash), deadlineMs: Number.POSITIVE_INFINITY }
    const start = (): void => {
      const free = (hangs: boolean): void => {
        if (hangs) reject(this.#hung(format))
        this.#free(party)
      }
      const work = (): Promise<unknown> => this.#work.run<unknown>(() => format.verify?.(credential, hash), free)
      Promise.resolve(callOut(site, work, readSame)).then(resolve, reject)
    }
    const settle = async (): Promise<boolean> => {
      let wrong = false
      try {
        const same = await compared
        wrong = !same
        if (wrong) this.#guesses.spendComparison(named)
        settled(same)
        return same
      } finally {
        this.#underWay.delete(name)
        if (!wrong) this.#refund(attempt, named)
      }
    }
    const found = settle()
    found.catch(() => undefined)
    const job: Job = { party, found, start, refuse: reject, begun: false, callers: 0, dueAt: 0 }
    this.#underWay.set(name, job)
    return job
  }

  #enter(job: Job): void {
    if (this.#work.isFull || !this.#mayStart(job.party)) this.#waiting.add(job)
    else this.#begin(job)
  }

  #begin(job: Job): void {
    job.begun = true
    this.#running.add(job.party)
    job.start()
  }

  /** Drops a comparison that no caller is waiting for anymore, unless it has begun. */
  #leave(job: Job): void {
    this.#waiting.delete(job)
    if (!job.begun) job.refuse(new StoreUnavailableError(TOO_LATE))
  }

  #hung({ name }: TokenFormat): StoreUnavailableError {
    const error = new StoreUnavailableError(`a comparison of the format ${name} has not settled within ${this.#holdMs / 1000} s`)
    this.#report('imports', error)
    return error
  }

  #siteOf({ name }: TokenFormat, credential: string, hash: string): CallSite {
    return {
      what: `the comparison of the format ${name}`,
      where: 'imports',
      deadlineMs: this.#deadlineMs,
      report: this.#report,
      secrets: () => [credential, hash],
    }
  }

  #mayStart({ signed }: Party): boolean {
    return !signed || [...this.#running].filter((party) => party.signed).length < SIGNED_AT_ONCE
  }

  #free(party: Party): void {
    this.#running.delete(party)
    const running = [...this.#running]
    for (const job of this.#waiting) {
      // A job is worth starting even if it will take longer than its callers can wait, because its result is still used.
      if (job.dueAt - this.#monotonic() > LEAST_LEFT_MS) continue
      this.#waiting.delete(job)
      job.refuse(new StoreUnavailableError(TOO_LATE))
    }
    let next = [...this.#waiting].filter((job) => this.#mayStart(job.party))
    for (const turn of TURNS) next = extreme(next, (job) => -countIn(running, turn, job.party))
    const [first] = next
    if (first === undefined) return
    this.#waiting.delete(first)
    this.#begin(first)
  }

  /**
   * Refuses the last comparison of the party that has the most waiting.
   *
   * @throws StoreUnavailableError `store_unavailable`, if that is the new comparison
   */
  #makeRoom(party: Party): void {
    const all: (Job | { readonly party: Party })[] = [...this.#waiting, { party }]
    const parties = all.map((one) => one.party)
    let most = all
    for (const turn of TURNS) most = extreme(most, (one) => countIn(parties, turn, one.party))
    const last = most.at(-1)
    const refusal = new StoreUnavailableError('too many imported tokens are waiting for their first use')
    if (last === undefined || !('refuse' in last)) throw refusal
    this.#waiting.delete(last)
    last.refuse(refusal)
  }
}

function countIn(parties: readonly Party[], turn: (typeof TURNS)[number], party: Party): number {
  return parties.filter((other) => other[turn] === party[turn]).length
}

/** Returns the items with the greatest measure. */
function extreme<T>(all: T[], measure: (one: T) => number): T[] {
  const measures = all.map(measure)
  const greatest = Math.max(...measures)
  return all.filter((_, at) => measures[at] === greatest)
}

function readSame(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer
  throw new StoreUnavailableError('it returned neither true nor false')
}

/** Calls a format's function, which the host may have written: it must be synchronous, and may throw. */
export function askFormat<T>(format: TokenFormat, report: Report, credential: string, call: () => T): T {
  const site = {
    what: `the read function of the format ${format.name}`,
    where: 'imports',
    deadlineMs: Number.POSITIVE_INFINITY,
    report,
    secrets: () => [credential],
  } as const
  const answer: MaybePromise<T> = callOut(site, call)
  if (answer instanceof Promise) {
    answer.catch(() => undefined)
    throw new StoreUnavailableError(`the read function of the format ${format.name} must be synchronous`)
  }
  return answer
}
