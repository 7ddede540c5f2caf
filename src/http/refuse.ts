import { StoreUnavailableError } from '../errors.js'
import type { RateState } from '../model/principal.js'
import { isThenable } from '../store/deadline.js'
import type { Report } from '../store/reporter.js'
import { createChallenges } from './challenge.js'
import { type CredentialReader, createCredentialReader } from './credential.js'
import type { PlainResponse, Problem, RefusedCode } from './problem.js'
import { problemOf } from './problem.js'
import { rateFields } from './rate-fields.js'
import type { WhyMalformed } from './why-malformed.js'

/** Makes the host's own body for a problem. It gets the framework's own request or context. */
export type ErrorBody<R> = (problem: Problem, request: R) => object

/** Optional parts of a refusal. */
export type RefusalDetails = {
  readonly scopes?: readonly string[] | undefined
  /** Why a credential could not be read. */
  readonly why?: WhyMalformed | undefined
  readonly retryAfterSeconds?: number | undefined
  /** Where the limits stand, for a 429. */
  readonly rates?: readonly RateState[] | undefined
}

/** Turns a code into an answer. Never throws. */
export type Refuse<R> = (code: RefusedCode, request: R, details?: RefusalDetails) => PlainResponse

/** How the refusals of one guard look. */
export type RefusalOptions<R> = {
  readonly realm?: unknown
  readonly reader?: CredentialReader
  readonly errorBody?: ErrorBody<R> | undefined
  readonly resourceMetadata?: string | undefined
  /** Hears of an `errorBody` that fails. */
  readonly report?: Report | undefined
}

const MAX_RETRY_SECONDS = 86_400
/** The longest `Retry-After` for faults. A known later time, such as next month's quota, is not shortened. */
const MAX_RESET_SECONDS = 366 * 86_400

/**
 * Makes the refusals of one guard: status, challenge, `Retry-After`, and a body in problem+json or of the host's own shape.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function createRefusals<R>(options: RefusalOptions<R> = {}): Refuse<R> {
  const { errorBody, report, reader = createCredentialReader() } = options
  const challenge = createChallenges(options.realm ?? 'api', reader.challenges, options.resourceMetadata)
  return (code, request, details) => {
    const problem = problemOf(code, reader.howTo, details?.why)
    const own = errorBody === undefined ? undefined : ownBody(errorBody, problem, request, (error) => report?.('errorBody', error))
    const headers: Record<string, string> = {
      'content-type': own === undefined ? 'application/problem+json' : 'application/json',
      'cache-control': 'no-store',
    }
    const authenticate = challenge(problem, details?.scopes)
    if (authenticate !== undefined) headers['www-authenticate'] = authenticate
    const rates = problem.status === 429 ? details?.rates : undefined
    if (problem.status === 503 || problem.status === 429) {
      headers['retry-after'] = String(wholeSeconds(details?.retryAfterSeconds, rates === undefined ? MAX_RETRY_SECONDS : MAX_RESET_SECONDS))
    }
    if (rates !== undefined) Object.assign(headers, rateFields(rates))
    // draft-ietf-httpapi-ratelimit-headers: nothing remains until then. The quota itself is not known here.
    else if (problem.status === 429) headers.ratelimit = `"token";r=0;t=${headers['retry-after']}`
    return { code, status: problem.status, headers, body: own ?? JSON.stringify(problem) }
  }
}

// A host's function that fails must not keep a refusal from going out, so its faults fall back to the default body.
function ownBody<R>(errorBody: ErrorBody<R>, problem: Problem, request: R, failed: (error: unknown) => void): string | undefined {
  try {
    const body: unknown = errorBody({ ...problem }, request)
    if (isThenable(body)) {
      Promise.resolve(body).catch(() => undefined)
      throw new StoreUnavailableError('errorBody returned a promise; it must return synchronously')
    }
    const text: unknown = typeof body === 'object' && body !== null ? JSON.stringify(body) : undefined
    if (typeof text === 'string' && /^[{[]/.test(text)) return text
    throw new StoreUnavailableError('errorBody answered no object')
  } catch (error) {
    failed(error)
    return undefined
  }
}

function wholeSeconds(seconds: unknown, most: number): number {
  if (typeof seconds !== 'number' || Number.isNaN(seconds)) return 1
  return Math.min(Math.max(Math.ceil(seconds), 1), most)
}
