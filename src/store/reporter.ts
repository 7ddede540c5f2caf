import { isErrorLike, isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../errors.js'
import { redact } from '../token/redact.js'
import { copyFault, describeFault } from './describe-fault.js'
import { CALLBACK_FAILED, type FaultPlace, helpFor, kindOf } from './fault-places.js'

/** Something went wrong that latchkey answered with 503, or went on without. */
export type FaultReport = {
  readonly where: FaultPlace
  /** The fault, as far as it may be told: never a token, a digest or a pepper. For a callback, `error.cause` is what it threw. */
  readonly error: LatchkeyError
}

/** The options by which a host hears of faults. */
export type FaultOptions = {
  /** Told of each fault that was answered with 503 or swallowed, at once. What it does wrong changes nothing. */
  readonly onError?: (fault: FaultReport) => unknown
  /** Takes a line about each kind of fault, at most one a minute: `console`, or a logger such as pino or winston. `false` turns it off. @default console */
  readonly logger?: Logger | false
}

/** The part of a logger that is used. */
export type Logger = { error(line: string): unknown }

/** Tells the host of a fault. An error that was told before is not told again, wherever it comes by on its way out. Never throws. */
export type Report = (where: FaultPlace, error: unknown) => void

/** A line of each kind is written no more often than this. */
const QUIET_MS = 60_000
const MAX_LINE = 600

type Line = { quietUntil: number; suppressed: number }

/** Makes the reporter of one instance. */
export function createReporter({ onError, logger }: FaultOptions, monotonic: () => number = () => performance.now()): Report {
  const told = new WeakSet<object>()
  const lines = new Map<string, Line>()
  let telling = false

  function log(fault: FaultReport): void {
    if (logger === false) return
    const kind = kindOf(fault.where)
    const now = monotonic()
    const line = lines.get(kind) ?? { quietUntil: Number.NEGATIVE_INFINITY, suppressed: 0 }
    lines.set(kind, line)
    if (now < line.quietUntil) {
      line.suppressed += 1
      return
    }
    const text = lineOf(fault, line.suppressed)
    line.quietUntil = now + QUIET_MS
    line.suppressed = 0
    quietly(() => (logger ?? console).error(text))
  }

  return function report(where, error) {
    // A listener that calls latchkey, which fails again, would be told for ever.
    if (telling || isTold(told, error)) return
    const fault: FaultReport = Object.freeze({ where, error: presentable(where, error) })
    told.add(fault.error)
    if (typeof error === 'object' && error !== null) told.add(error)
    telling = true
    if (onError !== undefined) quietly(() => onError(fault))
    quietly(() => log(fault))
    telling = false
  }
}

// Wrapped once more on its way out, it is the same fault.
function isTold(told: WeakSet<object>, error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  if (told.has(error)) return true
  const cause: unknown = isLatchkeyError(error) ? error.cause : undefined
  return typeof cause === 'object' && cause !== null && told.has(cause)
}

function presentable(where: FaultPlace, error: unknown): LatchkeyError {
  if (isLatchkeyError(error)) return error
  return new StoreUnavailableError(`${where} failed`, helpFor(where).code === CALLBACK_FAILED ? copyFault(error) : describeFault(error))
}

function lineOf({ where, error }: FaultReport, suppressed: number): string {
  const { code, advice } = helpFor(where)
  const cause = isErrorLike(error.cause) ? `${error.cause.name}: ${error.cause.message}` : error.cause
  const why = typeof cause === 'string' ? `${error.message} (${cause})` : error.message
  const more = suppressed === 0 ? '' : ` ${suppressed} more since the last line.`
  const docs = `See node_modules/latchkey/docs/diagnostics.md#${code.toLowerCase()}`
  return `latchkey ${code} ${where}: ${oneLine(why)}. ${advice}${more} ${docs}`
}

// What is quoted may come from anywhere: no token, no second line, nothing that moves a terminal's cursor.
function oneLine(text: string): string {
  return redact(text)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .slice(0, MAX_LINE)
}

function quietly(run: () => unknown): void {
  try {
    Promise.resolve(run()).catch(() => undefined)
  } catch {
    // The listener's fault is the listener's.
  }
}
