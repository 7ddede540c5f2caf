import { type Code, isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { copyFault, describeFault } from './describe-fault.js'
import type { FaultPlace } from './fault-places.js'
import type { Report } from './reporter.js'

/** Is it a promise, as `await` would see it? */
export function isThenable(value: unknown): value is Promise<unknown> {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && typeof Reflect.get(value, 'then') === 'function'
}

/** Whom a call goes out to, and who hears of it when that fails. */
export type CallSite = {
  /** For messages: `the owner callback`. */
  readonly what: string
  readonly where: FaultPlace
  /** `Infinity`: none. */
  readonly deadlineMs: number
  /** What earlier calls for the same request left of the deadline. @default all of it */
  readonly leftMs?: number | undefined
  readonly report: Report
  /** A credential that the call gets, which no error may quote. Tokens of this library go without being named. */
  readonly secret?: string
}

/**
 * Calls out to a store or a hook that may throw, hang, or reject with anything at all.
 *
 * Resolves to what `read` makes of the answer, or a `StoreUnavailableError`, which the host has heard of. Of latchkey's own errors only
 * those that say the same pass unchanged: a refusal out of the depths of a store or a hook must not be taken for a verdict about the token.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export function callOut<T>(site: CallSite, call: () => MaybePromise<T>): MaybePromise<T>
export function callOut<T>(site: CallSite, call: () => unknown, read: (answer: unknown) => T): MaybePromise<T>
export function callOut(site: CallSite, call: () => unknown, read: (answer: unknown) => unknown = (answer) => answer): unknown {
  const { leftMs = site.deadlineMs } = site
  let pending: Promise<unknown>
  try {
    if (!(leftMs > 0)) throw late(site)
    const answer = call()
    if (!isThenable(answer)) return read(answer)
    // A foreign thenable may throw, or answer at once or twice: only a promise of our own is waited for.
    pending = Promise.resolve(answer)
  } catch (error) {
    throw unavailable(site, error)
  }
  return new Promise<unknown>((resolve, reject) => {
    let open = true
    // What comes after the deadline was told as late already.
    const fail = (error: unknown): void => {
      if (open) reject(unavailable(site, error))
      open = false
    }
    const timer = Number.isFinite(leftMs) ? setTimeout(() => fail(late(site)), leftMs) : undefined
    pending.then(
      (value) => {
        clearTimeout(timer)
        try {
          resolve(read(value))
        } catch (error) {
          fail(error)
        }
      },
      (error: unknown) => {
        clearTimeout(timer)
        fail(error)
      },
    )
  })
}

type Timing = { readonly monotonic: () => number; readonly deadlineMs: number }

/** When what begins now must have been answered, on the monotonic clock. */
export function dueFrom({ monotonic, deadlineMs }: Timing): number {
  return monotonic() + deadlineMs
}

/** What is left until then; `undefined` where nothing was waited for yet. */
export function leftUntil(dueAt: number | undefined, { monotonic }: Timing): number | undefined {
  return dueAt === undefined ? undefined : dueAt - monotonic()
}

const PASSED: ReadonlySet<Code> = new Set(['store_unavailable', 'store_moving', 'closed', 'misconfigured'])

/** The other side hung. */
export class DeadlineError extends StoreUnavailableError {}

function late({ what, deadlineMs, leftMs }: CallSite): DeadlineError {
  const shared = leftMs === undefined ? '' : ', the calls before it included'
  return new DeadlineError(`${what} did not answer within ${deadlineMs / 1000} s${shared}`)
}

function unavailable({ what, where, report, secret }: CallSite, error: unknown): LatchkeyError {
  const known = isLatchkeyError(error) && PASSED.has(error.code)
  const fault = known
    ? error
    : new StoreUnavailableError(`${what} failed`, quotesItsInput(where) ? describeFault(error) : copyFault(error, secret))
  report(where, fault)
  return fault
}

/** Do its messages quote what it was given, as those of databases do? */
function quotesItsInput(where: FaultPlace): boolean {
  return where.startsWith('store.') || where === 'rateLimit' || where === 'keys'
}
