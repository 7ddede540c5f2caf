/**
 * Every code that latchkey uses in `verify()` results, thrown errors, problem documents and audit events.
 *
 * The value is the HTTP status for the code (RFC 6750 §3.1, RFC 9110 §15).
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

/** A code from the code table, in lower snake case. */
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

/** Details of an error, in addition to its message. */
export type ErrorDetails = {
  /** The invalid input, as a dotted path: `expiresAt`, `scopes.0`. */
  readonly field?: string
  /** After a version conflict: the record's current version. */
  readonly version?: number
  /** For 429 and 503: when to retry, in seconds. */
  readonly retryAfterSeconds?: number
  /** The underlying error. Never contains a token, a secret, a digest or a pepper. */
  readonly cause?: unknown
}

/** Marks a latchkey error from any copy of the package and any realm. It identifies an error and grants nothing. */
const BRAND: symbol = /* @__PURE__ */ Symbol.for('latchkey.error')

/** The base class of every latchkey error: `switch (error.code)` narrows it, and named subclasses support `instanceof`. */
export class LatchkeyError<C extends Code = Code> extends Error {
  readonly code: C
  /** The HTTP status that an adapter sends for this error. */
  readonly status: number
  readonly field?: string
  readonly version?: number
  readonly retryAfterSeconds?: number

  constructor(code: C, message: string, given: ErrorDetails = {}) {
    // Without a prototype, on which other code may have put fields of these names.
    const details: ErrorDetails = Object.assign(Object.create(null), given)
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
 * Returns whether this is a latchkey error.
 *
 * `instanceof` works only within one copy of the package and one realm. This function also recognizes errors from another copy, such as the CommonJS
 * build next to the ES module, and from another realm, such as that of a Jest test.
 *
 * @example
 * ```ts
 * if (isLatchkeyError(error) && error.code === 'conflict') retry()
 * ```
 */
export function isLatchkeyError(error: unknown): error is LatchkeyError {
  try {
    return isErrorLike(error) && Reflect.get(error, BRAND) === true && Object.hasOwn(CODES, String(Reflect.get(error, 'code')))
  } catch {
    return false
  }
}

/** Returns whether this is a latchkey error about an input and has a list of issues. It may be from another copy. */
export function isInvalidInput(error: unknown): error is InvalidInputError {
  return isLatchkeyError(error) && error.code === 'invalid_input' && Array.isArray(Reflect.get(error, 'issues'))
}

/** Returns whether this is an error, from any realm. In Jest, errors thrown by the platform are not instances of the tests' own `Error`. */
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

/** One problem with an input: where it is, as a path of names and positions, and what must be changed. */
export type InputIssue = { readonly path: readonly PropertyKey[]; readonly message: string }

/** The invalid part of an input: a path, or the same path as dotted text. */
export type InputPlace = string | readonly PropertyKey[]

/** Returns the path of a member, from the path of its parent. */
export function placeIn(place: InputPlace, key: PropertyKey): readonly PropertyKey[] {
  return [...pathOf(place), key]
}

function pathOf(place: InputPlace): readonly PropertyKey[] {
  return typeof place === 'string' ? place.split('.') : place
}

/** The input is invalid; `field` names the invalid part, and nothing was changed. */
export class InvalidInputError extends LatchkeyError<'invalid_input'> {
  /** Every problem that was found; the message describes the first. */
  readonly issues: readonly InputIssue[]

  constructor(place: InputPlace, message: string, cause?: unknown, issues: readonly InputIssue[] = [{ path: pathOf(place), message }]) {
    const field = typeof place === 'string' ? place : place.map(String).join('.')
    super('invalid_input', `${field}: ${message}`, { field, cause })
    this.issues = issues
  }
}

/** latchkey cannot decide: the store or a hook failed, hung or returned something invalid. Nothing was allowed. */
export class StoreUnavailableError extends LatchkeyError<'store_unavailable'> {
  constructor(message: string, cause?: unknown) {
    super('store_unavailable', message, { cause, retryAfterSeconds: 1 })
  }
}

/** The tokens are being moved to another store, and changes are refused until the move is finished. Nothing was changed. Verification continues. */
export class StoreMovingError extends LatchkeyError<'store_moving'> {
  constructor() {
    super('store_moving', 'the tokens are being moved to another store: changes are refused until the move is finished', {
      retryAfterSeconds: 5,
    })
  }
}

/** The token does not exist, or this actor cannot see it. */
export class NotFoundError extends LatchkeyError<'not_found'> {
  constructor(id: string) {
    // A caller may have passed the token where its ID belongs, so only text in the form of an ID is repeated.
    const shown = /^[0-9A-Za-z]{16}$/.test(id) ? `ID ${JSON.stringify(id)}` : 'that ID'
    super('not_found', `there is no token with ${shown}, or this actor cannot see it`)
  }
}

/** The change conflicts with the current state of the tokens. If `version` was stale, `error.version` is the current version. */
export class ConflictError extends LatchkeyError<'conflict' | 'idempotency_key_reused' | 'token_limit_reached'> {}

/** The actor tried to grant more than it has. */
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
