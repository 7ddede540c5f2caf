import { CODES, type Code, type InputIssue, isInvalidInput, isLatchkeyError, type LatchkeyError } from '../errors.js'
import { titleOf } from '../http/problem.js'
import { rateFields } from '../http/rate-fields.js'
import { CALLBACK_FAILED, helpFor } from '../store/fault-places.js'
import { placeOf } from '../store/reporter.js'
import { redact } from '../token/redact.js'
import { type Fault, type Part, PathRefusal, pointerTo, RateRefusal, RequestFault } from './fault.js'
import { tagOf } from './preconditions.js'

/** The body of every refusal: a problem document (RFC 9457). */
export type ProblemBody = {
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: Code
  /** The invalid fields. */
  readonly errors?: readonly Fault[]
  /** After a failed precondition: the current version of the token. */
  readonly version?: number
  /** With `store_unavailable`, if it is known: the store, or a host callback. */
  readonly failed?: 'store' | 'callback'
}

/**
 * Converts anything that was thrown into a response. An unknown error means that no decision was made, and its text stays internal.
 *
 * `part` is the part of the request that contains the fields named by the core's errors.
 */
export function problemResponse(error: unknown, part: Part = 'body'): Response {
  const problem = problemOf(error, part)
  const headers = new Headers({ 'content-type': 'application/problem+json' })
  // RFC 9110 §15.5.2: a 401 carries a challenge. The host handles sign-in, so the scheme is not one of HTTP's own.
  if (problem.status === 401) headers.set('www-authenticate', 'Session realm="tokens"')
  if (problem.status === 503 || problem.status === 429) headers.set('retry-after', String(retryAfter(error)))
  if (error instanceof RateRefusal) for (const [name, value] of Object.entries(rateFields(error.rates))) headers.set(name, value)
  if (problem.status === 412 && problem.version !== undefined) headers.set('etag', tagOf(problem.version))
  // Field names also come from the caller, who may have pasted a token in place of a name.
  return new Response(redact(JSON.stringify(problem)), { status: problem.status, headers })
}

/** Returns the status of that response. */
export function problemStatus(error: unknown): number {
  return problemOf(error, 'body').status
}

function problemOf(error: unknown, part: Part): ProblemBody {
  if (!isLatchkeyError(error)) return about('store_unavailable', 503, 'the request could not be processed; retry')
  if (error instanceof RequestFault) return { ...about(error.code, error.status, error.message), errors: error.faults }
  if (error instanceof PathRefusal) return about(error.code, error.status, error.message)
  // Responses for invisible and nonexistent tokens are identical, byte for byte.
  if (error.code === 'not_found') return about('not_found', 404, 'there is no such token, or you cannot see it')
  if (error.code === 'closed') return about(error.code, 503, 'the request could not be processed; retry')
  if (error.code === 'store_unavailable') return undecided(error)
  if (error.code === 'conflict' && error.version !== undefined) return { ...about('conflict', 412, error.message), version: error.version }
  if (isInvalidInput(error)) {
    const [first] = error.issues
    const detail = first?.path.length === 0 ? `the ${part}: ${first.message}` : error.message
    return { ...about(error.code, CODES[error.code], withoutKey(detail)), errors: error.issues.map((issue) => faultOf(issue, part)) }
  }
  const { code, field, message }: LatchkeyError = error
  // Callers of the API send the key in a header.
  if (field === 'idempotencyKey') {
    const detail = message.replace('idempotencyKey', 'Idempotency-Key')
    return { ...about(code, CODES[code], detail), errors: [{ in: 'header', pointer: '#/idempotency-key', detail }] }
  }
  const problem = about(code, CODES[code], message)
  if (field === undefined) return problem
  const detail = message.replace(`${field}: `, '')
  return { ...problem, errors: [faultOf({ path: field.split('.'), message: detail }, part)] }
}

// Says only whether the store or a callback failed. The text of the error stays internal.
function undecided(error: LatchkeyError): ProblemBody {
  const place = placeOf(error)
  const problem = about('store_unavailable', 503, 'the request could not be processed; retry')
  if (place?.startsWith('store.')) return { ...problem, failed: 'store' }
  return place !== undefined && helpFor(place).code === CALLBACK_FAILED ? { ...problem, failed: 'callback' } : problem
}

function about(code: Code, status: number, detail: string): ProblemBody {
  return { title: titleOf(status), status, detail, code }
}

function faultOf({ path, message: detail }: InputIssue, part: Part): Fault {
  return { in: part, pointer: pointerTo(path), detail: withoutKey(detail) }
}

/** Removes the field for the idempotency key from a list of fields, because no body can have it. */
function withoutKey(detail: string): string {
  return detail.replace(/, idempotencyKey\b/, '')
}

function retryAfter(error: unknown): number {
  return isLatchkeyError(error) && error.retryAfterSeconds !== undefined ? Math.max(1, Math.ceil(error.retryAfterSeconds)) : 1
}
