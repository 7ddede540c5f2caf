import type { RefusedCode } from '../../src/http/problem.js'

/** A code that can be sent in a response. */
export type OutcomeCode = RefusedCode

/** The response for an outcome. Without a challenge there is no WWW-Authenticate; an empty challenge has no error code. */
export type Outcome = {
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly challenge?: { readonly error?: string }
}

/** The outcomes written out independently of the code table: what each code sends (RFC 6750 §3, RFC 9457). */
export const OUTCOMES: { readonly [Code in OutcomeCode]: Outcome } = {
  credential_missing: answer(401, 'Unauthorized', 'This resource requires a token', {}),
  credential_malformed: answer(400, 'Bad Request', 'The request carries a malformed credential', { error: 'invalid_request' }),
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

/** The reasons for a malformed credential. None contains a part of the credential. */
const WHY_MALFORMED = [
  'The request carries more than one credential',
  'The token is missing',
  'The token is too long',
  'The value does not begin with a scheme',
  'The scheme must be followed by a space',
  'The value repeats the name of the header',
  'The token is preceded by the wrong scheme',
  'The value contains quotation marks',
  'The token is in angle brackets, which are only placeholders',
  'The token is a placeholder that was not filled in',
  'The token is sent as a parameter',
  'The value contains a comma',
  'The token contains white space',
  'The token contains an invalid character',
  'The value after Basic is not base64',
  'The value after Basic contains no colon',
]

/** The possible details of an outcome. */
export function detailsOf(code: OutcomeCode, howTo: string = 'Authorization: Bearer <token>'): readonly string[] {
  if (code === 'credential_missing') return [`${OUTCOMES[code].detail}: send ${howTo}.`]
  return code === 'credential_malformed' ? WHY_MALFORMED.map((why) => `${why}: send ${howTo}.`) : [OUTCOMES[code].detail]
}

/** The challenge of an outcome. `opening` is usually `Bearer realm="api"`. */
export function challengeOf(
  code: OutcomeCode,
  detail: string,
  opening: string,
  scope: string | undefined,
  further = '',
): string | undefined {
  const { challenge }: Outcome = OUTCOMES[code]
  if (challenge === undefined) return undefined
  if (challenge.error === undefined) return opening + further
  const parameters = `${opening}, error="${challenge.error}", error_description="${detail}"`
  return (scope === undefined ? parameters : `${parameters}, scope="${scope}"`) + further
}

/** The default body of an outcome. */
export function bodyOf(code: OutcomeCode, detail: string): string {
  const { title, status }: Outcome = OUTCOMES[code]
  return `{"title":"${title}","status":${status},"detail":"${detail}","code":"${code}"}`
}
