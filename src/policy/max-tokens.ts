import { wholeNumber } from './option-kinds.js'
import { type OptionReader, objectOf } from './option-reader.js'

/**
 * The `maxTokens` option. A token counts until it is revoked or expires, even while it is inactive or in its overlap.
 *
 * The limits are exact on any number of nodes. A rotation is refused only if predecessors of the token are still in their overlap, and as many tokens are
 * in their overlap as the limit allows, or ten if the limit is lower.
 */
export type MaxTokensOptions = {
  /** The limit for one owner within one tenant. Tokens without an owner do not count. @default no limit */
  readonly perOwner?: number | undefined
  /** The limit for one tenant. Tokens without a tenant do not count. @default no limit */
  readonly perTenant?: number | undefined
}

const most = wholeNumber(1, 1_000_000).optional()

/** Reads the option. */
export const maxTokensShape: OptionReader<MaxTokensOptions> = objectOf(
  { perOwner: most, perTenant: most },
  { error: 'must be { perOwner, perTenant }, each a number of tokens' },
)
