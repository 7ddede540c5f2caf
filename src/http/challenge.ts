import { InvalidInputError } from '../errors.js'
import { isSafeAddress, NOT_SAFE } from '../policy/safe-address.js'
import type { CredentialReader } from './credential.js'
import type { Problem } from './problem.js'

/** Returns the value of `WWW-Authenticate` for a problem, or `undefined` if it needs none. */
export type ChallengeWriter = (problem: Problem, scopes?: readonly string[]) => string | undefined

// RFC 9110 §5.6.4: what a quoted-string may contain, limited to printable ASCII.
const QUOTABLE_URL = /^[\x21-\x7e]{1,2048}$/
const QUOTABLE = /^[\x20-\x7e]{1,128}$/

/**
 * Creates the challenges of a realm (RFC 6750 §3), one for each accepted location of a token. The first one names the error.
 *
 * A 401 must carry a challenge (RFC 9110 §15.5.2).
 *
 * @throws InvalidInputError `invalid_input`
 */
export function createChallenges(realm: unknown, challenges: CredentialReader['challenges'], resourceMetadata?: unknown): ChallengeWriter {
  if (typeof realm !== 'string' || !QUOTABLE.test(realm)) {
    throw new InvalidInputError('realm', 'must be 1 to 128 printable ASCII characters')
  }
  if (
    resourceMetadata !== undefined &&
    !(typeof resourceMetadata === 'string' && isSafeAddress(resourceMetadata) && QUOTABLE_URL.test(resourceMetadata))
  ) {
    throw new InvalidInputError('resourceMetadata', NOT_SAFE)
  }
  // RFC 9728 §5.1
  const metadata = resourceMetadata === undefined ? '' : `, resource_metadata=${quoted(resourceMetadata)}`
  const [scheme = '', ...others] = challenges.map((challenge) => challenge(quoted(realm)))
  const further = others.map((challenge) => `, ${challenge}`).join('')
  return (problem, scopes) => {
    const error = errorOf(problem)
    if (error === undefined) return undefined
    // RFC 6750 §3.1: without authentication information there is no error code.
    if (error === '') return scheme + metadata + further
    const scope = scopes === undefined ? '' : `, scope=${quoted(scopes.join(' '))}`
    return `${scheme}, error="${error}", error_description=${quoted(problem.detail)}${scope}${metadata}${further}`
  }
}

function errorOf(problem: Problem): string | undefined {
  if (problem.code === 'credential_missing') return ''
  if (problem.code === 'scope_insufficient' || problem.code === 'resource_denied') return 'insufficient_scope'
  if (problem.status === 400) return 'invalid_request'
  return problem.status === 401 ? 'invalid_token' : undefined
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
