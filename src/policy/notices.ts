import { InvalidInputError } from '../errors.js'
import type { Duration } from '../model/record.js'
import { duration, flag } from './option-kinds.js'
import { either, listOf, type OptionReader, objectOf, oneOf, readPart } from './option-reader.js'

/**
 * The `notices` option: the audit events about what happens as time passes. Each is written once for all nodes, within about a minute.
 */
export type NoticesOptions = {
  /** `token.expiring`: how long before a token's expiry, up to 10 values; only the nearest that applies is used. @default ['30d', '7d', '1d'] */
  readonly expiring?: readonly Duration[] | false
  /** `token.expired`, when a token has expired. @default true */
  readonly expired?: boolean
  /** `token.rotation_due`, when the `rotateEvery` interval has passed. @default true */
  readonly rotationDue?: boolean
  /**
   * `token.old_still_used`: how long before the end of an overlap, up to 10 values, if the old token was used within the last day. @default ['1d',
   * '1h']
   */
  readonly oldStillUsed?: readonly Duration[] | false
  /** `token.unused`, for a token that was neither used nor changed for this long, at least a day. Checked every six hours. @default '90d' */
  readonly unused?: Duration | false
}

/** The option in normalized form. Absent or empty: no notices. */
export type Notices = {
  /** Milliseconds before the end, the shortest first. */
  readonly expiringMs: readonly number[]
  readonly expired: boolean
  readonly rotationDue: boolean
  /** Milliseconds before the end of the overlap, the shortest first. */
  readonly oldStillUsedMs: readonly number[]
  readonly unusedMs?: number
  /** After this long without use, a token gets a notice, and is deactivated once the grace period has passed. */
  readonly deactivateMs?: number
  /** Whether any notice is enabled. */
  readonly any: boolean
}

/** The minimum time between the notice and the deactivation of an unused token. */
export const UNUSED_GRACE_MS: number = 7 * 86_400_000

type Given = {
  expiring?: number[] | false | undefined
  expired?: boolean | undefined
  rotationDue?: boolean | undefined
  oldStillUsed?: number[] | false | undefined
  unused?: number | false | undefined
}

const THRESHOLDS = 'must be a list of 1 to 10 durations, each at least a minute, such as ["30d", "7d"], or false'
const thresholds = either([oneOf([false], THRESHOLDS), listOf(duration({ min: 60 }), { min: 1, max: 10 })], THRESHOLDS)
const UNUSED = 'must be a duration of at least a day, or false'

const shape: OptionReader<Given> = objectOf(
  {
    expiring: thresholds.optional(),
    expired: flag.optional(),
    rotationDue: flag.optional(),
    oldStillUsed: thresholds.optional(),
    unused: either([oneOf([false], UNUSED), duration({ min: 86_400 })], UNUSED).optional(),
  },
  { error: 'must be { expiring, expired, rotationDue, oldStillUsed, unused }, or false' },
)

const NONE: Given = { expiring: false, expired: false, rotationDue: false, oldStillUsed: false, unused: false }
const DEFAULTS = { expiring: [30 * 86_400, 7 * 86_400, 86_400], oldStillUsed: [86_400, 3600], unused: 90 * 86_400 }

/**
 * Reads the option together with those that it depends on: if uses are not counted, unused tokens cannot be detected.
 *
 * @throws InvalidInputError `invalid_input`, fields `notices` and `expiry.unused`
 */
export function readNotices(
  given: unknown,
  other: { readonly usage: boolean; readonly unusedSeconds: number | undefined; readonly eventsMs: number | undefined },
): Notices {
  const { usage, unusedSeconds, eventsMs } = other
  const asked = given === false ? NONE : readPart('notices', shape, given)
  if (!usage) refuseUncounted(asked, unusedSeconds)
  // The notice must be retained at least throughout the grace period.
  if (unusedSeconds !== undefined && eventsMs !== undefined && eventsMs < 2 * UNUSED_GRACE_MS) {
    throw new InvalidInputError('expiry.unused', 'requires audit events to be kept for at least 14 days: see retention.events')
  }
  const { expiring = DEFAULTS.expiring, expired = true, rotationDue = true } = asked
  const oldStillUsed = usage && (asked.oldStillUsed ?? DEFAULTS.oldStillUsed)
  const unused = usage && (asked.unused ?? DEFAULTS.unused)
  const notices = {
    expiringMs: ascending(expiring),
    expired,
    rotationDue,
    oldStillUsedMs: ascending(oldStillUsed),
    ...(unused !== false && { unusedMs: unused * 1000 }),
    ...(unusedSeconds !== undefined && { deactivateMs: unusedSeconds * 1000 }),
  }
  const any = expired || rotationDue || notices.expiringMs.length > 0 || notices.oldStillUsedMs.length > 0
  return Object.freeze({ ...notices, any })
}

function refuseUncounted({ oldStillUsed, unused }: Given, unusedSeconds: number | undefined): void {
  const why = 'requires usage to be counted, but usage is false'
  if (unused) throw new InvalidInputError('notices.unused', why)
  if (oldStillUsed) throw new InvalidInputError('notices.oldStillUsed', why)
  if (unusedSeconds !== undefined) throw new InvalidInputError('expiry.unused', why)
}

function ascending(seconds: readonly number[] | false): readonly number[] {
  return seconds === false ? [] : [...new Set(seconds)].sort((a, b) => a - b).map((each) => each * 1000)
}
