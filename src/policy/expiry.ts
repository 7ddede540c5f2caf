import { InvalidInputError } from '../errors.js'
import { ownFields } from '../model/own-fields.js'
import type { Duration } from '../model/record.js'
import { duration, flag } from './option-kinds.js'
import { type OptionReader, objectOf } from './option-reader.js'

/** The `expiry` option. */
export type ExpiryOptions = {
  /** The lifetime of tokens created without an expiry. @default none: they live until they are revoked */
  readonly default?: Duration
  /** The longest lifetime of a token, from its creation. @default none */
  readonly max?: Duration
  /** Whether every token must have an expiry. @default false */
  readonly required?: boolean
  /**
   * Deactivates tokens that were neither used nor changed for this long, at least a day. A `token.unused` event announces it, and the token is
   * deactivated seven days later unless it is used, changed or activated in the meantime. @default none
   */
  readonly unused?: Duration
}

/** The option in normalized form. */
export type Expiry = { readonly defaultSeconds?: number; readonly maxSeconds?: number; readonly required: boolean }

type Given = { default?: number | undefined; max?: number | undefined; required: boolean; unused?: number | undefined }

/** The `expiry` option, in seconds. */
export const expiryShape: OptionReader<Given> = objectOf({
  default: duration().optional(),
  max: duration().optional(),
  required: flag.default(false),
  unused: duration({ min: 86_400 }).optional(),
})

/**
 * Checks the `expiry` option as a whole.
 *
 * @throws InvalidInputError `invalid_input`, field `expiry.default`
 */
export function readExpiry(given: Given): Expiry {
  const { default: defaultSeconds, max: maxSeconds, required } = ownFields(given)
  if (defaultSeconds !== undefined && maxSeconds !== undefined && defaultSeconds > maxSeconds) {
    throw new InvalidInputError('expiry.default', `is ${defaultSeconds} seconds, more than expiry.max (${maxSeconds} seconds)`)
  }
  const limits: Expiry = {
    ...(defaultSeconds !== undefined && { defaultSeconds }),
    ...(maxSeconds !== undefined && { maxSeconds }),
    required,
  }
  return Object.freeze(ownFields(limits))
}
