/**
 * Every code that latchkey answers with: in `verify()` results, in thrown errors, in problem documents and in audit events.
 *
 * The value is the HTTP status that a code becomes at the edge (RFC 6750 §3.1, RFC 9110 §15).
 */
export const CODES = {
  credential_missing: 401,
  credential_malformed: 400,
  token_malformed: 401,
  token_unknown: 401,
  secret_mismatch: 401,
  token_invalid: 401,
  token_inactive: 401,
  token_expired: 401,
  token_not_yet_valid: 401,
  token_revoked: 401,
  owner_denied: 401,
  ip_denied: 403,
  scope_insufficient: 403,
  resource_denied: 403,
  rate_limited: 429,
  store_unavailable: 503,
  store_moving: 503,
  actor_missing: 401,
  grant_denied: 403,
  token_cannot_manage: 403,
  cross_site: 403,
  not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  conflict: 409,
  token_limit_reached: 409,
  idempotency_key_reused: 422,
  payload_too_large: 413,
  media_type_unsupported: 415,
  invalid_input: 400,
  closed: 503,
  misconfigured: 500,
} as const

/** One of the lower-snake words of the code table. */
export type Code = keyof typeof CODES

/** Why a token was refused by `verify()`. */
export type RefusalCode =
  | 'token_malformed'
  | 'token_unknown'
  | 'secret_mismatch'
  | 'token_inactive'
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'token_revoked'
  | 'owner_denied'
  | 'ip_denied'
  | 'rate_limited'

/** Details of an error beside its message. */
export type ErrorDetails = {
  /** The input that was wrong, as a dotted path: `expiresAt`, `scopes.0`. */
  readonly field?: string
  /** After a version conflict: the version that the record has now. */
  readonly version?: number
  /** For 429 and 503: when it makes sense to try again, in seconds. */
  readonly retryAfterSeconds?: number
  /** The underlying error. Never holds a token, a secret, a digest or a pepper. */
  readonly cause?: unknown
}

/** Marks the errors of every copy and every realm. It says what an error is, and lets nobody do anything. */
const BRAND: symbol = /* @__PURE__ */ Symbol.for('latchkey.error')

/** The one error class of latchkey: `switch (error.code)` narrows it, and each code has a named subclass for `instanceof`. */
export class LatchkeyError<C extends Code = Code> extends Error {
  readonly code: C
  /** The HTTP status that this error becomes at the edge. */
  readonly status: number
  readonly field?: string
  readonly version?: number
  readonly retryAfterSeconds?: number

  constructor(code: C, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    Object.defineProperty(this, BRAND, { value: true })
    this.name = new.target.name
    this.code = code
    this.status = CODES[code]
    if (details.field !== undefined) this.field = details.field
    if (details.version !== undefined) this.version = details.version
    if (details.retryAfterSeconds !== undefined) this.retryAfterSeconds = details.retryAfterSeconds
  }
}

/**
 * Is this an error of latchkey?
 *
 * `instanceof` holds for one copy of the package in one realm. This also holds for the errors of another copy, such as the CommonJS one beside the
 * ES module, and of another realm, such as that of a Jest test.
 *
 * @example
 * ```ts
 * if (isLatchkeyError(error) && error.code === 'conflict') retry()
 * ```
 */
export function isLatchkeyError(error: unknown): error is LatchkeyError {
  return isErrorLike(error) && Reflect.get(error, BRAND) === true && Object.hasOwn(CODES, String(Reflect.get(error, 'code')))
}

/** Is this an error of latchkey about an input, with its issues? It may be of another copy. */
export function isInvalidInput(error: unknown): error is InvalidInputError {
  return isLatchkeyError(error) && error.code === 'invalid_input' && Array.isArray(Reflect.get(error, 'issues'))
}

/** Is this an error, of whatever realm? In Jest, what the platform throws is an instance of no `Error` of the tests' realm. */
export function isErrorLike(value: unknown): value is Error {
  try {
    return (
      typeof value === 'object' &&
      value !== null &&
      typeof Reflect.get(value, 'message') === 'string' &&
      typeof Reflect.get(value, 'name') === 'string'
    )
  } catch {
    return false
  }
}

/** One thing that is wrong with an input: its place, as a path of names and positions, and what must be changed. */
export type InputIssue = { readonly path: readonly PropertyKey[]; readonly message: string }

/** Where in an input something is wrong: a path, or the same as dotted text. */
export type InputPlace = string | readonly PropertyKey[]

/** The place of a member of what stands at another place. */
export function placeIn(place: InputPlace, key: PropertyKey): readonly PropertyKey[] {
  return [...pathOf(place), key]
}

function pathOf(place: InputPlace): readonly PropertyKey[] {
  return typeof place === 'string' ? place.split('.') : place
}

/** The input was refused; `field` names what was wrong with it, and nothing was changed. */
export class InvalidInputError extends LatchkeyError<'invalid_input'> {
  /** Everything that was found wrong, the first of which the message tells. */
  readonly issues: readonly InputIssue[]

  constructor(place: InputPlace, message: string, cause?: unknown, issues: readonly InputIssue[] = [{ path: pathOf(place), message }]) {
    const field = typeof place === 'string' ? place : place.map(String).join('.')
    super('invalid_input', `${field}: ${message}`, { field, cause })
    this.issues = issues
  }
}

/** latchkey cannot decide: the store or a hook failed, hung or answered nonsense. Nothing was allowed. */
export class StoreUnavailableError extends LatchkeyError<'store_unavailable'> {
  constructor(message: string, cause?: unknown) {
    super('store_unavailable', message, { cause, retryAfterSeconds: 1 })
  }
}

/** The tokens are being moved to another store, and nothing may change until that is done: nothing was changed. Verifications go on. */
export class StoreMovingError extends LatchkeyError<'store_moving'> {
  constructor() {
    super('store_moving', 'the tokens are being moved to another store: changes are refused until that is done', { retryAfterSeconds: 5 })
  }
}

/** There is no such token, or none that this actor may see. */
export class NotFoundError extends LatchkeyError<'not_found'> {
  constructor(id: string) {
    // Somebody may have given the token where its id belongs: only what has the form of an id is repeated.
    const shown = /^[0-9A-Za-z]{16}$/.test(id) ? `id ${JSON.stringify(id)}` : 'such an id'
    super('not_found', `no token with ${shown} that this actor may see`)
  }
}

/** The change does not fit the state that tokens are in. After a stale `version`, `error.version` is the present one. */
export class ConflictError extends LatchkeyError<'conflict' | 'idempotency_key_reused' | 'token_limit_reached'> {}

/** The actor tried to hand out more than it has. */
export class GrantDeniedError extends LatchkeyError<'grant_denied'> {
  constructor(field: string, message: string) {
    super('grant_denied', `${field}: ${message}`, { field })
  }
}

/** The instance was closed; nothing was done. */
export class ClosedError extends LatchkeyError<'closed'> {
  constructor() {
    super('closed', 'this latchkey instance is closed: create a new one with latchkey(options)')
  }
}
