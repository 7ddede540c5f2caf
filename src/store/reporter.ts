import { isErrorLike, isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../errors.js'
import { redact } from '../token/redact.js'
import { describeFault, tellableFault } from './describe-fault.js'
import { CALLBACK_FAILED, type FaultPlace, helpFor, isAdvised, kindOf, NOT_DECIDED } from './fault-places.js'

/** A fault that latchkey answered with 503 or worked around. */
export type FaultReport = {
  readonly where: FaultPlace
  /**
   * The fault, without any token, digest or pepper. For a callback, `error.cause` is a redacted copy of the error that it threw, or a short description of any
   * other value.
   */
  readonly error: LatchkeyError
}

/** Options for reporting faults to the host. */
export type FaultOptions = {
  /** Called immediately for each fault that caused a 503 or was suppressed. Its own errors have no effect. */
  readonly onError?: (fault: FaultReport) => unknown
  /**
   * Receives at most one line a minute about each kind of fault: `console`, or a logger such as pino or winston. `false` turns it off. @default
   * console
   */
  readonly logger?: Logger | false
}

/** The part of a logger that is used. */
export type Logger = { error(line: string): unknown }

/**
 * Reports a fault to the host, without any of `secrets`. The same latchkey error is reported only once, even if it passes several places as it propagates, so
 * each fault needs an error of its own. Never throws.
 */
export type Report = (where: FaultPlace, error: unknown, secrets?: () => readonly string[]) => void

/** The minimum time between two log lines of the same kind. */
const QUIET_MS = 60_000
const MAX_LINE = 600

/** Where and when faults were first reported. Responses to failed requests include the place. */
const firstReports = new WeakMap<object, FirstReport>()
type FirstReport = { readonly where: FaultPlace; readonly number: number }
let reports = 0

/** Returns how many errors have been reported in this process: a moment that `reportedSince` accepts. */
export function reportsSoFar(): number {
  return reports
}

/** Returns whether an error, or the fault that it wraps, was first reported after that moment. */
export function reportedSince(error: unknown, moment: number): boolean {
  return (firstReport(error)?.number ?? 0) > moment
}

/** Returns where a reported fault happened, even if it has been wrapped since. */
export function placeOf(error: unknown): FaultPlace | undefined {
  return firstReport(error)?.where
}

function firstReport(error: unknown): FirstReport | undefined {
  if (!isLatchkeyError(error)) return undefined
  const known = firstReports.get(error)
  const cause = known === undefined ? faultWithin(error) : undefined
  return known ?? (cause && firstReports.get(cause))
}

/** Returns the fault that an error wraps. A host may throw an error with a getter, which may throw. */
function faultWithin(error: LatchkeyError): LatchkeyError | undefined {
  try {
    const { cause } = error
    return isLatchkeyError(cause) ? cause : undefined
  } catch {
    return undefined
  }
}

/** The errors that a listener or a logger has been told of. Several reporters may share it, such as those of an instance and of a verifier beside it. */
const toldTo: WeakMap<object, WeakSet<object>> = new WeakMap()

function toldOf(audience: object): WeakSet<object> {
  const told = toldTo.get(audience) ?? new WeakSet<object>()
  toldTo.set(audience, told)
  return told
}

type Line = { quietUntil: number; suppressed: number }

/** Creates the reporter of one instance. `audience`: the host's listener, if `onError` wraps it. */
export function createReporter(
  { onError, logger }: FaultOptions,
  monotonic: () => number = () => performance.now(),
  audience: object | undefined = onError,
): Report {
  const heard = audience && toldOf(audience)
  const logged = logger === false ? undefined : toldOf(logger || console)
  const lines = new Map<string, Line>()
  let telling = false

  /** Returns the line to write about a fault in this place now; `undefined` if none is due. */
  function dueLine(where: FaultPlace): Line | undefined {
    if (logger === false) return undefined
    const kind = kindOf(where)
    const line = lines.get(kind) ?? { quietUntil: Number.NEGATIVE_INFINITY, suppressed: 0 }
    lines.set(kind, line)
    if (monotonic() >= line.quietUntil) return line
    line.suppressed += 1
    return undefined
  }

  function write(line: Line, fault: FaultReport): void {
    const text = lineOf(fault, line.suppressed)
    line.quietUntil = monotonic() + QUIET_MS
    line.suppressed = 0
    quietly(() => (logger || console).error(text))
  }

  return function report(given, error, secrets) {
    // A fault that another reporter has told of keeps its place.
    const where = helpFor(given).code === NOT_DECIDED ? (placeOf(error) ?? given) : given
    noteReport(where, error)
    // Otherwise, a listener that calls latchkey and causes another fault would be called forever.
    if (telling) return
    const isHeard = heard === undefined || isTold(heard, error)
    const isLogged = logged === undefined || isTold(logged, error)
    let line: Line | undefined
    quietly(() => {
      if (!isLogged) line = dueLine(where)
    })
    for (const told of [heard, logged]) if (isLatchkeyError(error)) told?.add(error)
    // Removing secrets takes time in proportion to the header fields of a request, which its sender chooses.
    if (isHeard && line === undefined) return
    const fault: FaultReport = Object.freeze({ where, error: presentable(where, error, secretsFrom(secrets)) })
    for (const told of [heard, logged]) told?.add(fault.error)
    telling = true
    if (!isHeard) quietly(() => onError?.(fault))
    if (line !== undefined) quietly(() => write(line as Line, fault))
    telling = false
  }
}

function noteReport(where: FaultPlace, error: unknown): void {
  if (!isLatchkeyError(error) || firstReports.has(error)) return
  reports += 1
  firstReports.set(error, { where, number: reports })
}

// An error that wraps a reported fault is the same fault. An error of any other class came from the host, which may throw the same object again.
function isTold(told: WeakSet<object>, error: unknown): boolean {
  if (!isLatchkeyError(error)) return false
  const cause = faultWithin(error)
  return told.has(error) || (cause !== undefined && told.has(cause))
}

function presentable(where: FaultPlace, error: unknown, secrets: readonly string[]): LatchkeyError {
  const what = `${where} failed`
  const isTold = isLatchkeyError(error) || helpFor(where).code === CALLBACK_FAILED
  return isTold ? tellableFault(what, error, secrets) : new StoreUnavailableError(what, describeFault(error))
}

// If the request cannot be read, no callback read it either.
function secretsFrom(find: () => readonly string[] = () => []): readonly string[] {
  try {
    return find()
  } catch {
    return []
  }
}

/** Describes an error with the errors that caused it. `cause` must be a copy, because an original may have cycles and contain secrets. */
export function withCauses(message: string, cause: unknown): string {
  const why = isErrorLike(cause) ? causesOf(cause) : cause
  return typeof why === 'string' ? `${message} (${why})` : message
}

function lineOf({ where, error }: FaultReport, suppressed: number): string {
  const { code, advice, effect = advice } = helpFor(where)
  const why = withCauses(error.message, error.cause)
  const more = suppressed === 0 ? '' : ` ${suppressed} more since the last line.`
  const docs = `See node_modules/latchkey/docs/diagnostics.md#${code.toLowerCase()}`
  return `latchkey ${code} ${where}: ${oneLine(why)}. ${isAdvised(error) ? effect : advice}${more} ${docs}`
}

/** Describes the copy of an error, which has no cycles, and the errors that caused it. */
function causesOf(error: Error): string {
  const { name, message, cause } = error
  const errors: unknown = Reflect.get(error, 'errors')
  const causes: unknown[] = [cause, ...(Array.isArray(errors) ? errors : [])]
  const own = message === '' ? name : `${name}: ${message}`
  return [own, ...causes.filter(isErrorLike).map(causesOf)].join(' < ')
}

// Quoted text may come from any source, so tokens, line breaks, and terminal control characters are removed.
function oneLine(text: string): string {
  return redact(text)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .slice(0, MAX_LINE)
}

function quietly(run: () => unknown): void {
  try {
    Promise.resolve(run()).catch(() => undefined)
  } catch {
    // Errors from the listener have no effect.
  }
}
