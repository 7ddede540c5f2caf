import { InvalidInputError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { callback, flag } from '../policy/option-kinds.js'
import { anything, objectOf, readOption } from '../policy/option-reader.js'
import { refuseUndefined } from '../policy/read-input.js'
import { type ResourceMode, resourceMode } from '../policy/resource-mode.js'
import type { CredentialSource } from './credential.js'
import type { OnWarning } from './diagnostics.js'
import type { ForeignPrincipal, Session } from './host-principal.js'
import type { ErrorBody } from './refuse.js'

/** How long a callback of the host's may take that a request waits for. */
export const CALLBACK_DEADLINE_MS = 2000

/** The options of `authenticate`. `R` is the framework's own request or context. */
export type AuthenticateOptions<R> = {
  /** Lets requests without a credential through, without a principal. One that is presented must still be good. @default false */
  readonly optional?: boolean | undefined
  /** Where the token stands, or a list of such places; a request may use one of them. @default 'bearer' */
  readonly credential?: CredentialSource | readonly CredentialSource[] | undefined
  /**
   * Lets people in by the host's own session, only where a request has no `Authorization` and no other credential field. Changes (methods other
   * than `GET`, `HEAD` and `OPTIONS`) must then come from a page of the same origin, else they are refused with 403 `cross_site`. A callback that
   * throws, hangs or answers an incomplete session is a 503.
   */
  readonly session?: ((request: R) => MaybePromise<Session | undefined | null | false>) | undefined
  /**
   * Decides about bearers that are no tokens of this library: of another format, and with none of its prefixes. `undefined` refuses with 401. A
   * callback that throws, hangs or answers an incomplete principal is a 503.
   */
  readonly foreign?: ((credential: string, request: R) => MaybePromise<ForeignPrincipal | undefined | null | false>) | undefined
  /** Names the protected space in challenges. @default 'api' */
  readonly realm?: string | undefined
  /** Replaces the body of refusals. Where it fails or answers no object, the default body goes out. */
  readonly errorBody?: ErrorBody<R> | undefined
  /** Must the routes behind it name the data that a token is limited in? @default what the instance says */
  readonly resources?: ResourceMode
  /** The address of the API's metadata, told in challenges as `resource_metadata` (RFC 9728 §5.1). */
  readonly resourceMetadata?: string | undefined
  /** Is told of mistakes in the set-up, in place of the console. */
  readonly onWarning?: OnWarning | undefined
}

/** `credential`, `realm` and `resourceMetadata` are read where they are used. */
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
 * Checks the options as a whole.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readOptions<R>(options: AuthenticateOptions<R>): AuthenticateOptions<R> {
  refuseScopes(options)
  const read = readOption(reader, options, 'options') as AuthenticateOptions<R>
  refuseUndefined(options, ['resources'], 'to go by the instance')
  return read
}

// A scope that is named where nothing checks it would be taken for checked.
function refuseScopes(options: unknown): void {
  const named = typeof options === 'string' || Array.isArray(options)
  const field = ['scopes', 'scope', 'permissions'].find((name) => name in Object(options))
  if (!named && field === undefined) return
  const where = "name scopes in requireScopes('inventory:read') behind it, or in protect(tokens, 'inventory:read')"
  throw new InvalidInputError(field ?? 'options', `authenticate() checks no scopes: ${where}`)
}
