import { Budget, type Rate } from '../cache/budget.js'
import { StoreUnavailableError } from '../errors.js'
import type { TokenFormat } from '../model/format.js'
import type { MaybePromise } from '../model/json.js'
import { callerOf, siteOf } from '../policy/network.js'
import { type CallSite, callOut } from '../store/deadline.js'
import type { Report } from '../store/reporter.js'

/** The maximum number of slow hashes computed at once. */
const AT_ONCE = 4
const MAX_WAITING = 64
/** How many wrong secrets an address may have compared with slow hashes. */
const GUESSES: Rate = { burst: 20, perSecond: 1 }

/** What takes turns: tokens, networks, addresses. In this order: who knows the public part of one token, or has a network, has addresses in plenty. */
type Party = { readonly token: string; readonly site: string; readonly caller: string }
const TURNS = ['token', 'site', 'caller'] as const

/** A waiting comparison, and the party that it is for. */
type Job = { readonly party: Party; readonly start: () => void; readonly refuse: (error: StoreUnavailableError) => void }

/**
 * Compares credentials with slow hashes: a few at a time, each one once however many requests bring it, and never for longer than the deadline.
 *
 * Tokens, networks and addresses take turns, and the one that brings the most is the one that has to wait: whoever guesses at one token, or from one
 * network, holds up no first use of another from elsewhere.
 */
export class SlowHashes {
  readonly #deadlineMs: number
  readonly #report: Report
  readonly #guesses: Budget
  readonly #underWay: Map<string, Promise<boolean>> = new Map()
  readonly #waiting: Set<Job> = new Set()
  readonly #running: Set<Party> = new Set()

  constructor(deadlineMs: number, monotonic: () => number, report: Report) {
    this.#deadlineMs = deadlineMs
    this.#report = report
    this.#guesses = new Budget(GUESSES, monotonic)
  }

  /**
   * Is this the credential that the hash of this token was made from? `name` stands for the two of them.
   *
   * @throws StoreUnavailableError `store_unavailable`, when that was not found out in time, or too many wait for it
   */
  async compare(
    name: string,
    token: string,
    format: TokenFormat,
    credential: string,
    hash: string,
    ip: string | undefined,
    leftMs?: number,
  ): Promise<boolean> {
    const known = this.#underWay.get(name)
    // The caller that started it may have more time left.
    if (known !== undefined) return await callOut({ ...this.#siteOf(format, credential), leftMs }, () => known)
    const caller = callerOf(ip) ?? ''
    if (this.#guesses.spent(caller)) throw new StoreUnavailableError('too many wrong secrets for imported tokens came from this address')
    const party = { token, site: siteOf(ip) ?? '', caller }
    if (this.#waiting.size >= MAX_WAITING) this.#makeRoom(party)
    const found = this.#compare(format, credential, hash, party, leftMs)
    this.#underWay.set(name, found)
    try {
      const same = await found
      if (!same) this.#guesses.spend(caller)
      return same
    } finally {
      this.#underWay.delete(name)
    }
  }

  async #compare(format: TokenFormat, credential: string, hash: string, party: Party, leftMs: number | undefined): Promise<boolean> {
    let job: Job | undefined
    let started = false
    try {
      return await callOut(
        { ...this.#siteOf(format, credential), leftMs },
        () =>
          new Promise<unknown>((resolve, reject) => {
            const start = (): void => {
              started = true
              this.#running.add(party)
              new Promise<unknown>((done) => done(format.verify?.(credential, hash))).then(resolve, reject)
            }
            job = { party, start, refuse: reject }
            if (this.#running.size < AT_ONCE) start()
            else this.#waiting.add(job)
          }),
        readSame,
      )
    } finally {
      // Also behind the deadline, so that one that hangs does not hold up the others for good.
      if (job !== undefined) this.#waiting.delete(job)
      if (started) this.#free(party)
    }
  }

  #siteOf({ name }: TokenFormat, credential: string): CallSite {
    return {
      what: `the comparison of the format ${name}`,
      where: 'imports',
      deadlineMs: this.#deadlineMs,
      report: this.#report,
      secrets: () => [credential],
    }
  }

  #free(party: Party): void {
    this.#running.delete(party)
    const running = [...this.#running]
    let next = [...this.#waiting]
    for (const turn of TURNS) next = extreme(next, (job) => -countIn(running, turn, job.party))
    const [first] = next
    if (first === undefined) return
    this.#waiting.delete(first)
    first.start()
  }

  /**
   * Sends away the last one of whoever has the most waiting.
   *
   * @throws StoreUnavailableError `store_unavailable`, when that is the one who comes
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

/** Those of which this number is the greatest. */
function extreme<T>(all: T[], measure: (one: T) => number): T[] {
  const measures = all.map(measure)
  const greatest = Math.max(...measures)
  return all.filter((_, at) => measures[at] === greatest)
}

function readSame(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer
  throw new StoreUnavailableError('it returned neither true nor false')
}

/** For formats whose functions the host wrote: a synchronous call that may throw. */
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
