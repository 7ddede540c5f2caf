import { InvalidInputError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { duration } from '../policy/option-kinds.js'
import { either, listOf, type OptionOf, type OptionReader, objectOf, oneOf, passing, readPart, string } from '../policy/option-reader.js'
import type { LimitBy, RateLimit, RateLimitOptions } from './model.js'

const NAME = /^[a-z][a-z0-9_-]{0,31}$/
const MAX_LIMITS = 16
const MAX_PERIOD_SECONDS = 366 * 86_400
/** Timers of more than 2^31 - 1 milliseconds fire immediately, which would empty a count in the middle of its period. */
const MAX_MEMORY_SECONDS = 2_000_000

/** The maximum number of uses that a limit can allow. Every counter and a header field (RFC 9651 §3.3.1) can represent it. */
export const MAX_POINTS = 2_000_000_000

const PERIODS = ['hour', 'day', 'week', 'month'] as const
const LONGEST: { readonly [Period in (typeof PERIODS)[number]]: number } = { hour: 3600, day: 86_400, week: 604_800, month: 31 * 86_400 }

const REFILL = "must be 'hour', 'day', 'week', 'month', or { every } with a duration of at most 366 days"
const refill = either([oneOf(PERIODS, REFILL), objectOf({ every: duration({ max: MAX_PERIOD_SECONDS }) })], REFILL)

const common = {
  name: string().and((name) => NAME.test(name), 'must be 1 to 32 lowercase letters, digits, _ and -, starting with a letter'),
  limiter: passing<RateLimit['limiter']>(
    isLimiter,
    'must be a limiter such as new RateLimiterRedis({ … }), with points, duration, consume, penalty and reward',
  ),
  points: passing<NonNullable<RateLimit['points']>>(
    (value) => isPoints(value) || typeof value === 'function',
    'must be a whole number of uses, or a function of the principal',
  ).optional(),
  refill: refill.optional(),
}

const ofTokens = objectOf({ ...common, by: oneOf(['token', 'owner', 'tenant'], "must be 'token', 'owner' or 'tenant'") })
const ofManagement = objectOf({ ...common, by: oneOf(['actor'], "must be 'actor', or omitted").default('actor') })

const limitsOf = <Limit>(limit: OptionReader<Limit>) =>
  objectOf({
    limits: listOf(limit, { error: `must be a list of 1 to ${MAX_LIMITS} limits`, min: 1, max: MAX_LIMITS }),
    onFailure: oneOf(['refuse', 'allow'], "must be 'refuse' or 'allow': the decision when the limiter fails"),
  })

/** The `rateLimit` option after parsing, with durations in seconds. */
export type ReadRateLimits = {
  readonly limits: readonly ReadLimit[]
  readonly onFailure: RateLimitOptions['onFailure']
}

/** One limit after parsing. */
export type ReadLimit = Omit<RateLimit, 'refill' | 'by' | 'points'> & {
  readonly by: LimitBy | 'actor'
  /** A number, or a function of the subject that the use counts for. */
  readonly points?: number | ((subject: never) => MaybePromise<number | undefined>)
  readonly refill?: ReadRefill
}

/** Returns the key under which a limit counts a use; `undefined` if the limit does not apply to it. */
export type KeyOf = (limit: ReadLimit) => string | undefined

/** When a quota is refilled, after parsing. */
export type ReadRefill = (typeof PERIODS)[number] | { readonly every: number }

/**
 * Checks the `rateLimit` option.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readRateLimit(input: unknown): ReadRateLimits {
  return checked(readPart('rateLimit', limitsOf(ofTokens), input))
}

/**
 * Checks the `rateLimit` option of `management`.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readManagementRateLimit(input: unknown): ReadRateLimits {
  return checked(readPart('rateLimit', limitsOf(ofManagement), input))
}

type Given = OptionOf<typeof ofTokens> | OptionOf<typeof ofManagement>

function checked({ limits, onFailure }: { readonly limits: readonly Given[]; readonly onFailure: 'refuse' | 'allow' }): ReadRateLimits {
  const names = limits.map(({ name }) => name)
  for (const [index, { limiter, refill: period, name }] of limits.entries()) {
    if (names.indexOf(name) < index)
      throw new InvalidInputError(`rateLimit.limits.${index}.name`, 'is used by two limits; give one of them another name')
    if (period !== undefined && '_memoryStorage' in limiter && longestSeconds(period) > MAX_MEMORY_SECONDS) {
      throw new InvalidInputError(
        `rateLimit.limits.${index}.refill`,
        'is longer than an in-memory limiter can count: use a limiter on Redis or a database',
      )
    }
  }
  return Object.freeze({ limits: Object.freeze(limits.map(frozen)), onFailure })
}

function frozen({ points, refill: period, ...rest }: Given): ReadLimit {
  return Object.freeze({ ...rest, ...(points !== undefined && { points }), ...(period !== undefined && { refill: period }) })
}

function longestSeconds(period: ReadRefill): number {
  return typeof period === 'object' ? period.every : LONGEST[period]
}

/** Returns whether this is a valid number of uses. */
export function isPoints(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_POINTS
}

function isLimiter(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const duration: unknown = Reflect.get(value, 'duration')
  return (
    isPoints(Reflect.get(value, 'points')) &&
    typeof duration === 'number' &&
    duration >= 0 &&
    ['consume', 'penalty', 'reward'].every((method) => typeof Reflect.get(value, method) === 'function')
  )
}
