import type { RefusalCode } from '../errors.js'
import type { Resources } from '../model/json.js'
import type { Principal } from '../model/principal.js'
import type { ScopeSet } from '../policy/scope-set.js'
import type { RequestSignal } from './signals.js'

/** A token's current permissions, or why it would be refused. */
export type Standing =
  | {
      readonly code: RefusalCode
      /** For `rate_limited`. */
      readonly retryAfterSeconds?: number
    }
  | {
      readonly code?: undefined
      readonly scopes: ScopeSet
      readonly resources: Resources | undefined
      /** Absent: every address is allowed. */
      readonly allowsIp: ((ip: string | undefined) => boolean) | undefined
      /** Returns a signal for one request, which fires when the token ends. */
      readonly signal: () => RequestSignal
    }

/** The holder of a token. */
export type TokenHolder = {
  readonly principal: Principal
  readonly tokenId: string
  readonly tenantId: string | undefined
  /** The first token of its lineage. */
  readonly rootId: string
  /** The IDs of the tokens that also end its credential, because they may have the same secret. */
  readonly endsWith: readonly string[]
  /** The scopes that it is currently granted. */
  readonly granted: ScopeSet
}
