import { type Code, isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { ownFields } from '../model/own-fields.js'
import { EVERY_TEXT } from '../token/redact.js'
import { copyFault, describeFault, isTellableFault, tellableFault } from './describe-fault.js'
import type { FaultPlace } from './fault-places.js'
import { type Report, reportedSince, reportsSoFar } from './reporter.js'

/** Returns whether `await` would treat this value as a promise. */
export function isThenable(value: unknown): value is Promise<unknown> {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && 'then' in value && typeof value.then === 'function'
}

/** The target of an outgoing call, and where its failures are reported. */
export type CallSite = {
  /** For messages: `the owner callback`. */
  readonly what: string
  readonly where: FaultPlace
  /** `Infinity`: no deadline. */
  readonly deadlineMs: number
  /** The part of the deadline that remains after earlier calls for the same request. @default all of it */
  readonly leftMs?: number | undefined
  readonly report: Report
  /** Inputs of the call that no error may quote, such as a credential. Tokens of this library are always removed and do not have to be listed. */
  readonly secrets?: (() => readonly string[]) | undefined
}

/**
 * Calls a store or a hook, which may throw, hang, or reject with any value.
 *
 * Returns the result of `read`, or fails with a `StoreUnavailableError` that has been reported to the host. Of latchkey's own errors, only those that also
 * mean "cannot decide" pass. A refusal thrown inside a store or a hook must not be mistaken for a decision about the token.
 *
 * Each failure is reported, even if a hook throws the same object every time. Only an error that has been reported during this call, because the hook called
 * latchkey, is the same fault.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export function callOut<T>(site: CallSite, call: () => MaybePromise<T>): MaybePromise<T>
export function callOut<T>(site: CallSite, call: () => unknown, read: (answer: unknown) => T): MaybePromise<T>
export function callOut(site: CallSite, call: () => unknown, read: (answer: unknown) => unknown = (answer) => answer): unknown {
  // Without a copy, because verifications may go through here.
  const leftMs = (Object.hasOwn(site, 'leftMs') ? site.leftMs : undefined) ?? site.deadlineMs
  const begun = reportsSoFar()
  let pending: Promise<unknown>
  try {
    if (!(leftMs > 0)) throw late(site)
    const answer = call()
    if (!isThenable(answer)) {
      handleWithin(answer)
      return read(answer)
    }
    // A foreign thenable may throw, or settle synchronously or twice, so it is wrapped in a native promise.
    pending = Promise.resolve(answer)
  } catch (error) {
    throw unavailable(site, error, begun)
  }
  return new Promise<unknown>((resolve, reject) => {
    let open = true
    // A failure after the deadline was already reported as a timeout.
    const fail = (error: unknown): void => {
      if (open) reject(unavailable(site, error, begun))
      open = false
    }
    const timer = Number.isFinite(leftMs) ? setTimeout(() => fail(late(site)), leftMs) : undefined
    pending.then(
      (value) => {
        clearTimeout(timer)
        handleWithin(value)
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

/** Beyond this many elements, a list is not searched for promises: a hostile one can have billions. */
const MOST_WITHIN = 100_000

/** The fields of sessions, foreign principals, owners and actors. */
const ANSWERED = ['id', 'name', 'tenantId', 'ownerId', 'scopes', 'tenants', 'manages', 'metadata', 'ip']

/**
 * Handles the rejections of promises in an answer that the host forgot to await. They are refused as values, but an unhandled rejection ends the process. Calls
 * no getter and starts no lazy query, which would be a promise only in form.
 */
function handleWithin(answer: unknown): void {
  if (typeof answer !== 'object' || answer === null) return
  try {
    handle(answer)
    if (Array.isArray(answer)) return
    for (const name of ANSWERED) handle(dataOf(answer, name))
    const resources = dataOf(answer, 'resources')
    handle(resources)
    if (typeof resources === 'object' && resources !== null) for (const name of Object.keys(resources)) handle(dataOf(resources, name))
  } catch {
    // An answer that cannot be read is refused when it is checked.
  }
}

function handle(value: unknown): void {
  if (value instanceof Promise) value.catch(() => undefined)
  if (!Array.isArray(value)) return
  for (let at = 0; at < value.length && at < MOST_WITHIN; at += 1) {
    const each: unknown = value[at]
    if (each instanceof Promise) each.catch(() => undefined)
  }
}

function dataOf(answer: object, name: string): unknown {
  return Object.getOwnPropertyDescriptor(answer, name)?.value
}

/** A monotonic clock, and a deadline measured on it. */
export type Timing = { readonly monotonic: () => number; readonly deadlineMs: number }

/** Returns when a call that starts now is due, on the monotonic clock. */
export function dueFrom({ monotonic, deadlineMs }: Timing): number {
  return monotonic() + deadlineMs
}

/** Returns the time left until then, or `undefined` if nothing has been awaited yet. */
export function leftUntil(dueAt: number | undefined, { monotonic }: Timing): number | undefined {
  return dueAt === undefined ? undefined : dueAt - monotonic()
}

/** Creates one deadline for everything that a request waits for, including the setup of the store, which continues after the deadline. */
export function newAllowance(
  instance: { readonly settings: Pick<Timing, 'monotonic'>; readonly deadlineMs: number },
  deadlineMs: number = instance.deadlineMs,
): Allowance {
  return new Allowance({ monotonic: instance.settings.monotonic, deadlineMs }, true)
}

/** One deadline that consecutive waits of a call share. */
export class Allowance {
  /** Whether the setup of the store counts against the deadline. */
  readonly coversSetUp: boolean
  readonly #timing: Timing
  #dueAt: number
  /** The number of running operations that do not count against the deadline. */
  #apart = 0
  #apartMs = 0

  constructor(timing: Timing, coversSetUp = false) {
    this.coversSetUp = coversSetUp
    this.#timing = timing
    this.#dueAt = dueFrom(timing)
  }

  /** The time left; `undefined` while waiting for an operation that does not count. */
  get leftMs(): number | undefined {
    return this.#apart > 0 ? undefined : leftUntil(this.#dueAt, this.#timing)
  }

  /** The time that operations took which do not count. */
  get apartMs(): number {
    return this.#apartMs
  }

  /** Waits for an operation that has its own deadline or none. The time that it takes does not count. */
  async apart<T>(work: () => Promise<T>): Promise<T> {
    const begunAt = this.#timing.monotonic()
    this.#apart += 1
    try {
      return await work()
    } finally {
      this.#apart -= 1
      if (this.#apart === 0) {
        const tookMs = this.#timing.monotonic() - begunAt
        this.#dueAt += tookMs
        this.#apartMs += tookMs
      }
    }
  }

  /**
   * Waits for a shared operation, which continues for its other callers if this caller runs out of time. The caller that started it reports its failure.
   *
   * @throws DeadlineError `store_unavailable`
   */
  async join<T>(what: string, { where, report }: Pick<CallSite, 'where' | 'report'>, shared: Promise<T>): Promise<T> {
    const { leftMs } = this
    const { deadlineMs } = this.#timing
    if (leftMs === undefined || !Number.isFinite(leftMs)) return await shared
    let timer: ReturnType<typeof setTimeout> | undefined
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => {
          const error = late({ what, where, deadlineMs, leftMs, report })
          report(where, error)
          reject(error)
        },
        Math.max(0, leftMs),
      )
    })
    try {
      return await Promise.race([shared, tooLate])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Waits for an operation that does not count against the allowance, if there is one. */
export function apart<T>(allowance: Allowance | undefined, work: () => Promise<T>): Promise<T> {
  return allowance === undefined ? work() : allowance.apart(work)
}

const PASSED: ReadonlySet<Code> = new Set(['store_unavailable', 'store_moving', 'closed', 'misconfigured'])

/** The call did not return in time. */
export class DeadlineError extends StoreUnavailableError {
  /** Whether earlier calls had used part of the deadline, so that the call may have had too little time. */
  readonly partial: boolean

  constructor(message: string, partial = false) {
    super(message)
    this.partial = partial
  }
}

/** The connection broke: the store did not refuse the operation, and it is unknown whether it was carried out. */
export class ConnectionLostError extends StoreUnavailableError {}

// Error codes of Node, Postgres (class 08, and those of a server that closes a connection) and MySQL, which custom stores may pass through.
const LOST = /\b(?:ECONN[A-Z]+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|PROTOCOL_CONNECTION_LOST|08[0-9A-Z]{3}|57P0[1-3])\b/

/** Returns whether the connection to the store was lost. */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof ConnectionLostError || (isLatchkeyError(error) && typeof error.cause === 'string' && LOST.test(error.cause))
}

function late(site: CallSite): DeadlineError {
  const { what, deadlineMs, leftMs } = ownFields(site)
  const partial = leftMs !== undefined
  return new DeadlineError(
    `${what} did not answer within ${deadlineMs / 1000} s${partial ? ', including the calls before it' : ''}`,
    partial,
  )
}

function unavailable(site: CallSite, error: unknown, begun: number): LatchkeyError {
  const { where, report, secrets } = ownFields(site)
  const fault = faultOf(site, error, hiddenBy(secrets), begun)
  report(where, fault)
  return fault
}

function faultOf({ what, where }: CallSite, error: unknown, hidden: readonly string[], begun: number): LatchkeyError {
  const failed = `${what} failed`
  // The host's own functions may also throw such errors.
  if (!isLatchkeyError(error) || !isPassed(error))
    return new StoreUnavailableError(failed, quotesItsInput(where) ? describeFault(error) : copyFault(error, hidden))
  return reportedSince(error, begun) && isTellableFault(error, hidden) ? error : tellableFault(failed, error, hidden)
}

// The host's own request may throw when it is read. Then nothing of the error is quoted.
function hiddenBy(secrets: CallSite['secrets']): readonly string[] {
  try {
    return secrets?.() ?? []
  } catch {
    return EVERY_TEXT
  }
}

function isPassed(error: LatchkeyError): boolean {
  try {
    return PASSED.has(error.code)
  } catch {
    // The error of a host may have getters that throw.
    return false
  }
}

/** Returns whether error messages from this place may quote their input, as database errors do. */
function quotesItsInput(where: FaultPlace): boolean {
  return where.startsWith('store.') || where === 'rateLimit' || where === 'keys'
}
