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

type Job = { readonly start: () => void }

/** Compares credentials with slow hashes: a few at a time, each one once however many requests bring it, and never for longer than the deadline. */
export class SlowHashes {
  readonly #deadlineMs: number
  readonly #report: Report
  readonly #guesses: Budget
  readonly #underWay: Map<string, Promise<boolean>> = new Map()
  readonly #waiting: Set<Job> = new Set()
  #running = 0

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
  async compare(name: string, format: TokenFormat, credential: string, hash: string, ip: string | undefined): Promise<boolean> {
    const known = this.#underWay.get(name)
    if (known !== undefined) return known
    const caller = callerOf(ip) ?? ''
    if (this.#guesses.spent(caller)) throw new StoreUnavailableError('too many wrong secrets of imported tokens came from this address')
    if (this.#waiting.size >= MAX_WAITING) throw new StoreUnavailableError('too many imported tokens wait for their first use')
    const found = this.#compare(format, credential, hash)
    this.#underWay.set(name, found)
    try {
      const same = await found
      if (!same) this.#guesses.spend(caller)
      return same
    } finally {
      this.#underWay.delete(name)
    }
  }

  async #compare(format: TokenFormat, credential: string, hash: string): Promise<boolean> {
    let job: Job | undefined
    let started = false
    try {
      return await callOut(
        {
          what: `the comparison of the format ${format.name}`,
          where: 'imports',
          deadlineMs: this.#deadlineMs,
          report: this.#report,
          secret: credential,
        },
        () =>
          new Promise<unknown>((resolve, reject) => {
            const start = (): void => {
              started = true
              this.#running += 1
              new Promise<unknown>((done) => done(format.verify?.(credential, hash))).then(resolve, reject)
            }
            job = { start }
            if (this.#running < AT_ONCE) start()
            else this.#waiting.add(job)
          }),
        readSame,
      )
    } finally {
      // Also behind the deadline, so that one that hangs does not hold up the others for good.
      if (job !== undefined) this.#waiting.delete(job)
      if (started) this.#free()
    }
  }

  #free(): void {
    this.#running -= 1
    const [next] = this.#waiting
    if (next === undefined) return
    this.#waiting.delete(next)
    next.start()
  }
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
