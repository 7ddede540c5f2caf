import { InvalidInputError } from '../errors.js'
import type { CredentialSource } from './credential.js'
import type { OnWarning } from './diagnostics.js'
import type { ErrorBody } from './refuse.js'

/** The options of `authenticate`. `R` is the framework's own request or context. */
export type AuthenticateOptions<R> = {
  /** Lets requests without a credential through, without a principal. One that is presented must still be good. @default false */
  readonly optional?: boolean | undefined
  /** Where the token stands. @default 'bearer' */
  readonly credential?: CredentialSource | undefined
  /** Names the protected space in challenges. @default 'api' */
  readonly realm?: string | undefined
  /** Replaces the body of refusals. Where it fails or answers no object, the default body goes out. */
  readonly errorBody?: ErrorBody<R> | undefined
  /** The address of the API's metadata, told in challenges as `resource_metadata` (RFC 9728 §5.1). */
  readonly resourceMetadata?: string | undefined
  /** Is told of mistakes in the set-up, in place of the console. */
  readonly onWarning?: OnWarning | undefined
}

const NAMES = new Set(['optional', 'credential', 'realm', 'errorBody', 'resourceMetadata', 'onWarning'])
const FUNCTIONS = ['errorBody', 'onWarning'] as const

/**
 * Checks the options as a whole; `credential` and `realm` are checked where they are used.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readOptions<R>(options: AuthenticateOptions<R>): AuthenticateOptions<R> {
  const given: unknown = options
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new InvalidInputError('options', 'must be an object')
  for (const name of Reflect.ownKeys(given)) {
    if (typeof name !== 'string' || !NAMES.has(name))
      throw new InvalidInputError(String(name), `there is no such option: there are ${[...NAMES].join(', ')}`)
  }
  const copy = { ...options }
  if (copy.optional !== undefined && typeof copy.optional !== 'boolean') throw new InvalidInputError('optional', 'must be true or false')
  for (const name of FUNCTIONS) {
    if (copy[name] !== undefined && typeof copy[name] !== 'function') throw new InvalidInputError(name, 'must be a function')
  }
  return copy
}
