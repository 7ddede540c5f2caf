import { Budget, type Rate } from '../cache/budget.js'
import { StoreUnavailableError } from '../errors.js'
import type { TokenFormat } from '../model/format.js'
import type { MaybePromise } from '../model/json.js'
import { callerOf } from '../policy/network.js'
import { callOut } from '../store/deadline.js'
import type { Report } from '../store/reporter.js'

/** Slow hashes computed at once. */
const AT_ONCE = 4
const MAX_WAITING = 64
/** Wrong secrets that an address may have compared with a slow hash. */
const GUESSES: Rate = { burst: 20, perSecond: 1 }

/** A comparison that waits, and for whom. */
type Job = { readonly caller: string; readonly start: () => void; readonly refuse: (error: StoreUnavailableError) => void }

/**
 * Compares credentials with slow hashes: a few at a time, each one once however many requests bring it, and never for longer than the deadline.
 *
 * Addresses take turns, and the one that brings the most is the one that has to wait: whoever guesses holds up no first use from elsewhere.
 */
export class SlowHashes {
  readonly #deadlineMs: number
  readonly #report: Report
  readonly #guesses: Budget
  readonly #underWay: Map<string, Promise<boolean>> = new Map()
  readonly #waiting: Set<Job> = new Set()
  /** How many are being computed, by caller. */
  readonly #running: Map<string, number> = new Map()

  constructor(deadlineMs: number, monotonic: () => number, report: Report) {
    this.#deadlineMs = deadlineMs
    this.#report = report
    this.#guesses = new Budget(GUESSES, monotonic)
  }

  /**
   * Is this the credential that the hash was made from? `name` stands for the two of them.
   *
   * @throws StoreUnavailableError `store_unavailable`, when that was not found out in time, or too many wait for it
   */
  async compare(
    name: string,
    format: TokenFormat,
    credential: string,
    hash: string,
    ip: string | undefined,
    leftMs?: number,
  ): Promise<boolean> {
    const known = this.#underWay.get(name)
    if (known !== undefined) return known
    const caller = callerOf(ip) ?? ''
    if (this.#guesses.spent(caller)) throw new StoreUnavailableError('too many wrong secrets of imported tokens came from this address')
    if (this.#waiting.size >= MAX_WAITING) this.#makeRoom(caller)
    const found = this.#compare(format, credential, hash, caller, leftMs)
    this.#underWay.set(name, found)
    try {
      const same = await found
      if (!same) this.#guesses.spend(caller)
      return same
    } finally {
      this.#underWay.delete(name)
    }
  }

  async #compare(format: TokenFormat, credential: string, hash: string, caller: string, leftMs: number | undefined): Promise<boolean> {
    let job: Job | undefined
    let started = false
    try {
      return await callOut(
        {
          what: `the comparison of the format ${format.name}`,
          where: 'imports',
          deadlineMs: this.#deadlineMs,
          leftMs,
          report: this.#report,
          secret: credential,
        },
        () =>
          new Promise<unknown>((resolve, reject) => {
            const start = (): void => {
              started = true
              this.#count(caller, 1)
              new Promise<unknown>((done) => done(format.verify?.(credential, hash))).then(resolve, reject)
            }
            job = { caller, start, refuse: reject }
            if (sum(this.#running) < AT_ONCE) start()
            else this.#waiting.add(job)
          }),
        readSame,
      )
    } finally {
      // Also behind the deadline, so that one that hangs does not hold up the others for good.
      if (job !== undefined) this.#waiting.delete(job)
      if (started) this.#free(caller)
    }
  }

  #count(caller: string, by: number): void {
    const count = (this.#running.get(caller) ?? 0) + by
    if (count === 0) this.#running.delete(caller)
    else this.#running.set(caller, count)
  }

  #free(caller: string): void {
    this.#count(caller, -1)
    const runs = (job: Job): number => this.#running.get(job.caller) ?? 0
    const [first, ...others] = this.#waiting
    if (first === undefined) return
    const next = others.reduce((least, job) => (runs(job) < runs(least) ? job : least), first)
    this.#waiting.delete(next)
    next.start()
  }

  /**
   * Sends away the last one of whoever has the most waiting.
   *
   * @throws StoreUnavailableError `store_unavailable`, when that is this caller
   */
  #makeRoom(caller: string): void {
    const counts = new Map<string, number>()
    for (const job of this.#waiting) counts.set(job.caller, (counts.get(job.caller) ?? 0) + 1)
    const most = Math.max(...counts.values())
    const last = [...this.#waiting].findLast((job) => counts.get(job.caller) === most)
    const refusal = new StoreUnavailableError('too many imported tokens wait for their first use')
    if (last === undefined || most <= (counts.get(caller) ?? 0) + 1) throw refusal
    this.#waiting.delete(last)
    last.refuse(refusal)
  }
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0)
}

function readSame(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer
  throw new StoreUnavailableError('it answered neither true nor false')
}

/** For formats whose functions the host wrote: a synchronous call that may throw. */
export function askFormat<T>(format: TokenFormat, report: Report, secret: string, call: () => T): T {
  const site = {
    what: `the function read of the format ${format.name}`,
    where: 'imports',
    deadlineMs: Number.POSITIVE_INFINITY,
    report,
    secret,
  } as const
  const answer: MaybePromise<T> = callOut(site, call)
  if (answer instanceof Promise) {
    answer.catch(() => undefined)
    throw new StoreUnavailableError(`the function read of the format ${format.name} must answer at once`)
  }
  return answer
}
