import { InvalidInputError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { unawaited } from '../policy/misgiven.js'
import { callback, flag } from '../policy/option-kinds.js'
import { anything, objectOf, readOption, supplies } from '../policy/option-reader.js'
import { quote } from '../policy/quote.js'
import { refuseUndefined } from '../policy/read-input.js'
import { type ResourceMode, resourceMode } from '../policy/resource-mode.js'
import type { CredentialSource } from './credential.js'
import type { OnWarning } from './diagnostics.js'
import type { ForeignPrincipal, Session } from './host-principal.js'
import type { ErrorBody } from './refuse.js'

/** How long a request waits for a host callback. */
export const CALLBACK_DEADLINE_MS = 2000

/** The monotonic clock for deciders that have none. */
export const systemMonotonic = (): number => performance.now()

/** The options of `authenticate`. `R` is the framework's own request or context. */
export type AuthenticateOptions<R> = {
  /** Allows requests without a credential, which then have no principal. A credential that is presented must still be valid. @default false */
  readonly optional?: boolean | undefined
  /** Where requests carry the token, or a list of such places; a request may use only one of them. @default 'bearer' */
  readonly credential?: CredentialSource | readonly CredentialSource[] | undefined
  /**
   * Authenticates people by the host's own session, but only if a request has no `Authorization` or other credential field. Changes (methods other
   * than `GET`, `HEAD` and `OPTIONS`) must then come from a page on the same origin; otherwise they are refused with 403 `cross_site`. A callback
   * that throws, hangs or returns an incomplete session results in a 503.
   */
  readonly session?: ((request: R) => MaybePromise<Session | undefined | null | false>) | undefined
  /**
   * Authenticates bearer credentials that are not latchkey tokens: those in another format, without any of its prefixes. If it returns
   * `undefined`, the response is 401. A callback that throws, hangs or returns an incomplete principal results in a 503.
   */
  readonly foreign?: ((credential: string, request: R) => MaybePromise<ForeignPrincipal | undefined | null | false>) | undefined
  /** Names the protected space in challenges. @default 'api' */
  readonly realm?: string | undefined
  /** Replaces the body of refusals. If it fails or does not return an object, the default body is sent. */
  readonly errorBody?: ErrorBody<R> | undefined
  /** Whether the routes behind it must name the data that a token is limited to. @default the `resources` option of the instance */
  readonly resources?: ResourceMode
  /** The https URL of the API's metadata, sent in challenges as `resource_metadata` (RFC 9728 §3, §5.1). Loopback addresses may use http. */
  readonly resourceMetadata?: string | undefined
  /** Receives configuration warnings instead of the console. */
  readonly onWarning?: OnWarning | undefined
}

/** `credential`, `realm` and `resourceMetadata` are validated where they are used. */
const reader = objectOf({
  optional: flag.optional(),
  credential: anything,
  realm: anything,
  session: callback().optional(),
  foreign: callback().optional(),
  errorBody: callback().optional(),
  resources: resourceMode.optional(),
  resourceMetadata: anything,
  onWarning: callback().optional(),
})

/**
 * Validates the options as a whole.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readOptions<R>(options: AuthenticateOptions<R>): AuthenticateOptions<R> {
  checkOptions(options)
  const read = readOption(reader, options, 'options') as AuthenticateOptions<R>
  refuseUndefined(options, ['resources'], 'to use the setting of the instance')
  return read
}

/**
 * Refuses values that are not options at all. A promise or a standard `Request` has no properties of its own, so it would look like empty options.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function checkOptions(options: unknown): void {
  refuseScopes(options)
  if (typeof options !== 'object' || options === null) throw new InvalidInputError('options', `must be an object, not ${quote(options)}`)
  const promise = unawaited(options)
  if (promise !== '') throw new InvalidInputError('options', `must be an object${promise}`)
  if (supplies(options, 'headers') || supplies(options, 'req')) {
    throw new InvalidInputError('options', 'must be an object of options, not a request: authenticate(tokens) returns the middleware')
  }
}

/** Returns the field of these options that names scopes, or `options` if they consist only of scopes. */
export function scopesIn(options: unknown): string | undefined {
  if (typeof options === 'string' || Array.isArray(options)) return 'options'
  return ['scopes', 'scope', 'permissions'].find((name) => supplies(Object(options), name))
}

// Refuses scopes here: no code would check them, although the host would assume that they are checked.
function refuseScopes(options: unknown): void {
  const field = scopesIn(options)
  if (field === undefined) return
  const where = "add requireScopes('inventory:read') after it, or use protect(tokens, 'inventory:read')"
  throw new InvalidInputError(field, `authenticate() does not check scopes: ${where}`)
}
