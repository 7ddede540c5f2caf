import { StoreUnavailableError } from '../errors.js'
import type { RateState } from '../model/principal.js'
import { tellableFault } from '../store/describe-fault.js'
import type { Report } from '../store/reporter.js'
import { atOnce } from './at-once.js'
import { createChallenges } from './challenge.js'
import { type CredentialReader, createCredentialReader } from './credential.js'
import type { PlainResponse, Problem, RefusedCode } from './problem.js'
import { problemOf } from './problem.js'
import { limitedFields, retryAfter } from './rate-fields.js'
import type { WhyMalformed } from './why-malformed.js'

/** Returns the host's own response body for a problem. Receives the framework's own request or context. */
export type ErrorBody<R> = (problem: Problem, request: R) => object

/** Optional parts of a refusal. */
export type RefusalDetails = {
  readonly scopes?: readonly string[] | undefined
  /** Why a credential could not be read. */
  readonly why?: WhyMalformed | undefined
  readonly retryAfterSeconds?: number | undefined
  /** The state of the limits, for a 429. */
  readonly rates?: readonly RateState[] | undefined
}

/** Converts a code to a response. Never throws. */
export type Refuse<R> = (code: RefusedCode, request: R, details?: RefusalDetails) => PlainResponse

/** Options for the refusals of one guard. */
export type RefusalOptions<R> = {
  readonly realm?: unknown
  readonly reader?: CredentialReader
  readonly errorBody?: ErrorBody<R> | undefined
  readonly resourceMetadata?: string | undefined
  /** Receives errors from `errorBody`. */
  readonly report?: Report | undefined
  /** The secrets that `errorBody` can see and that a report must not quote. */
  readonly secretsOf?: ((request: R) => readonly string[]) | undefined
}

/**
 * Creates the refusals of one guard: status, challenge, `Retry-After`, and a body in problem+json or in the host's own format.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function createRefusals<R>(options: RefusalOptions<R> = {}): Refuse<R> {
  const { errorBody, report, secretsOf, reader = createCredentialReader() } = options
  const challenge = createChallenges(options.realm ?? 'api', reader.challenges, options.resourceMetadata)
  return (code, request, details) => {
    const problem = problemOf(code, reader.howTo, details?.why)
    const own =
      errorBody === undefined
        ? undefined
        : ownBody(errorBody, problem, request, (error) => {
            report?.('errorBody', tellableFault('errorBody failed', error, secretsOf?.(request) ?? []))
          })
    const headers: Record<string, string> = {
      'content-type': own === undefined ? 'application/problem+json' : 'application/json',
      'cache-control': 'no-store',
    }
    const authenticate = challenge(problem, details?.scopes)
    if (authenticate !== undefined) headers['www-authenticate'] = authenticate
    if (problem.status === 503) headers['retry-after'] = retryAfter(details?.retryAfterSeconds)
    if (problem.status === 429) Object.assign(headers, limitedFields(details?.retryAfterSeconds, details?.rates))
    return { code, status: problem.status, headers, body: own ?? JSON.stringify(problem) }
  }
}

// An error in the host's function must not block a refusal, so the default body is sent instead.
function ownBody<R>(errorBody: ErrorBody<R>, problem: Problem, request: R, failed: (error: unknown) => void): string | undefined {
  try {
    const body: unknown = atOnce('errorBody', errorBody({ ...problem }, request))
    const text: unknown = typeof body === 'object' && body !== null ? JSON.stringify(body) : undefined
    if (typeof text === 'string' && /^[{[]/.test(text)) return text
    throw new StoreUnavailableError('errorBody did not return an object')
  } catch (error) {
    failed(error)
    return undefined
  }
}
