import type { RefusedCode } from '../../src/http/problem.js'

/** A code that can go over the wire. */
export type OutcomeCode = RefusedCode

/** What an outcome looks like. Without a challenge there is no WWW-Authenticate; an empty one has no error code. */
export type Outcome = {
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly challenge?: { readonly error?: string }
}

/** The table of outcomes, written out a second time: what goes over the wire for each code (RFC 6750 §3, RFC 9457). */
export const OUTCOMES: { readonly [Code in OutcomeCode]: Outcome } = {
  credential_missing: answer(401, 'Unauthorized', 'This resource needs a token: send Authorization: Bearer <token>.', {}),
  credential_malformed: answer(400, 'Bad Request', 'The request carries a malformed credential, or more than one.', {
    error: 'invalid_request',
  }),
  token_invalid: answer(401, 'Unauthorized', 'The token is not valid.', { error: 'invalid_token' }),
  token_inactive: answer(401, 'Unauthorized', 'The token is deactivated.', { error: 'invalid_token' }),
  token_expired: answer(401, 'Unauthorized', 'The token has expired.', { error: 'invalid_token' }),
  token_not_yet_valid: answer(401, 'Unauthorized', 'The token is not valid yet.', { error: 'invalid_token' }),
  token_revoked: answer(401, 'Unauthorized', 'The token was revoked.', { error: 'invalid_token' }),
  owner_denied: answer(401, 'Unauthorized', 'The owner of the token no longer has access.', { error: 'invalid_token' }),
  ip_denied: answer(403, 'Forbidden', 'The token cannot be used from this address.'),
  cross_site: answer(403, 'Forbidden', 'The request came from another origin.'),
  scope_insufficient: answer(403, 'Forbidden', 'The token lacks a required scope.', { error: 'insufficient_scope' }),
  resource_denied: answer(403, 'Forbidden', 'The token has no access to this resource.', { error: 'insufficient_scope' }),
  rate_limited: answer(429, 'Too Many Requests', 'Too many requests with this token.'),
  store_unavailable: answer(503, 'Service Unavailable', 'Access cannot be decided at the moment.'),
  misconfigured: answer(500, 'Internal Server Error', 'The server is not set up correctly.'),
}

function answer(status: number, title: string, detail: string, challenge?: { readonly error?: string }): Outcome {
  return challenge === undefined ? { status, title, detail } : { status, title, detail, challenge }
}

/** The challenge of an outcome; `opening` is `Bearer realm="api"` in most places. */
export function challengeOf(code: OutcomeCode, opening: string, scope: string | undefined, further = ''): string | undefined {
  const { challenge, detail }: Outcome = OUTCOMES[code]
  if (challenge === undefined) return undefined
  if (challenge.error === undefined) return opening + further
  const parameters = `${opening}, error="${challenge.error}", error_description="${detail}"`
  return (scope === undefined ? parameters : `${parameters}, scope="${scope}"`) + further
}

/** The default body of an outcome. */
export function bodyOf(code: OutcomeCode, howTo = 'Authorization: Bearer <token>'): string {
  const { title, status, ...outcome }: Outcome = OUTCOMES[code]
  const detail = code === 'credential_missing' ? `This resource needs a token: send ${howTo}.` : outcome.detail
  return `{"title":"${title}","status":${status},"detail":"${detail}","code":"${code}"}`
}
