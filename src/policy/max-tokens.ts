import { wholeNumber } from './option-kinds.js'
import { type OptionReader, objectOf } from './option-reader.js'

/**
 * The `maxTokens` option: a token counts until it is revoked or has expired, also while it is inactive or in its overlap.
 *
 * Exact on any number of nodes. A rotation is refused only where its token's own predecessors still go on, and there are as many tokens again
 * in their overlap as are allowed, and ten at least.
 */
export type MaxTokensOptions = {
  /** Of one owner within one tenant. Tokens without an owner do not count. @default no limit */
  readonly perOwner?: number | undefined
  /** Of one tenant. Tokens without a tenant do not count. @default no limit */
  readonly perTenant?: number | undefined
}

const most = wholeNumber(1, 1_000_000).optional()

/** How the option is read. */
export const maxTokensShape: OptionReader<MaxTokensOptions> = objectOf(
  { perOwner: most, perTenant: most },
  { error: 'must be { perOwner, perTenant }, each a number of tokens' },
)
