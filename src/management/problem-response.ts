import { CODES, type Code, type InputIssue, isInvalidInput, isLatchkeyError, type LatchkeyError } from '../errors.js'
import { titleOf } from '../http/problem.js'
import { rateFields } from '../http/rate-fields.js'
import { redact } from '../token/redact.js'
import { type Fault, type Part, PathRefusal, pointerTo, RateRefusal, RequestFault } from './fault.js'
import { tagOf } from './preconditions.js'

/** The body of every refusal: a problem document (RFC 9457). */
export type ProblemBody = {
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: Code
  /** The fields that are wrong. */
  readonly errors?: readonly Fault[]
  /** After a precondition that failed: the version that the token has now. */
  readonly version?: number
}

/**
 * Turns whatever was thrown into an answer. What is foreign means that nothing was decided, and its text stays inside.
 *
 * `part` is where the fields that the core's own errors name stand in this request.
 */
export function problemResponse(error: unknown, part: Part = 'body'): Response {
  const problem = problemOf(error, part)
  const headers = new Headers({ 'content-type': 'application/problem+json' })
  // RFC 9110 §15.5.2: a 401 carries a challenge. Signing in is the host's matter, so the scheme names none of HTTP's own.
  if (problem.status === 401) headers.set('www-authenticate', 'Session realm="tokens"')
  if (problem.status === 503 || problem.status === 429) headers.set('retry-after', String(retryAfter(error)))
  if (error instanceof RateRefusal) for (const [name, value] of Object.entries(rateFields(error.rates))) headers.set(name, value)
  if (problem.status === 412 && problem.version !== undefined) headers.set('etag', tagOf(problem.version))
  // Names of fields come from the caller too: somebody may have pasted a token where a name belongs.
  return new Response(redact(JSON.stringify(problem)), { status: problem.status, headers })
}

function problemOf(error: unknown, part: Part): ProblemBody {
  if (!isLatchkeyError(error)) return about('store_unavailable', 503, 'nothing was decided: try again')
  if (error instanceof RequestFault) return { ...about(error.code, error.status, error.message), errors: error.faults }
  if (error instanceof PathRefusal) return about(error.code, error.status, error.message)
  // What is not visible and what does not exist are the same, byte for byte.
  if (error.code === 'not_found') return about('not_found', 404, 'no such token, or none that you may see')
  if (error.code === 'store_unavailable' || error.code === 'closed') return about(error.code, 503, 'nothing was decided: try again')
  if (error.code === 'conflict' && error.version !== undefined) return { ...about('conflict', 412, error.message), version: error.version }
  if (isInvalidInput(error))
    return { ...about(error.code, CODES[error.code], error.message), errors: error.issues.map((issue) => faultOf(issue, part)) }
  const { code, field, message }: LatchkeyError = error
  const problem = about(code, CODES[code], message)
  if (field === undefined) return problem
  const detail = message.replace(`${field}: `, '')
  // Callers of the API give the key in a header.
  if (field === 'idempotencyKey') return { ...problem, errors: [{ in: 'header', pointer: '#/idempotency-key', detail }] }
  return { ...problem, errors: [faultOf({ path: field.split('.'), message: detail }, part)] }
}

function about(code: Code, status: number, detail: string): ProblemBody {
  return { title: titleOf(status), status, detail, code }
}

function faultOf({ path, message: detail }: InputIssue, part: Part): Fault {
  return { in: part, pointer: pointerTo(path), detail }
}

function retryAfter(error: unknown): number {
  return isLatchkeyError(error) && error.retryAfterSeconds !== undefined ? Math.max(1, Math.ceil(error.retryAfterSeconds)) : 1
}
