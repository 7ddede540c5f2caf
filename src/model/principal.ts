import type { RefusalCode } from '../errors.js'
import type { JsonObject, Resources } from './json.js'
import type { TokenRecord } from './record.js'
import type { Register } from './register.js'

/** The scope names of the registered instance, or any string where none is registered. */
export type ScopeName = Register extends { tokens: { readonly catalogue: { readonly [Name in infer S]: string } } } ? S & string : string

/** The request that presents a token, as far as the caller knows it. */
export type VerifyContext = {
  /** The client's address, for tokens that are limited to addresses, last use and audit. */
  readonly ip?: string | undefined
  readonly method?: string | undefined
  /** The route's pattern, not the raw path. */
  readonly endpoint?: string | undefined
  /** As whom this same request was admitted before: one request counts once against rate limits. */
  readonly admitted?: Principal | undefined
}

/** Where a rate limit or a quota stands. */
export type RateState = {
  readonly name: string
  /** Uses in a window. */
  readonly limit: number
  readonly remaining: number
  /** Until the uses are back; absent where they never come back by themselves. */
  readonly resetSeconds?: number
  /** How long a window is; absent where it never ends. */
  readonly windowSeconds?: number
}

/** Who a valid token speaks for. */
export interface Principal<S extends string = string> {
  /** The credential that it was made from: an API token, a signed token, a session of the host's, or another issuer's token. */
  readonly kind: 'token' | 'signed' | 'session' | 'foreign'
  /** Absent for sessions. */
  readonly tokenId?: string
  readonly name: string
  readonly tenantId?: string
  readonly ownerId?: string
  /** The scopes in force now: groups and wildcards resolved, cut to the owner's. */
  readonly scopes: readonly string[]
  readonly resources?: Resources
  readonly metadata?: JsonObject
  /** Does the token cover this scope, and each of the named resources? */
  allows(scope: S, resources?: { readonly [dimension: string]: string | readonly string[] }): boolean
  /** Fires when the token is revoked, deactivated or expires while work is still going on. */
  readonly signal: AbortSignal
}

/** The answer of `verify`. */
export type Verification<S extends string = string> =
  | {
      readonly ok: true
      readonly principal: Principal<S>
      /** Where the limits of the option `rateLimit` stand after this use, those that were asked. */
      readonly rates?: readonly RateState[]
    }
  | { readonly ok: false; readonly code: RefusalCode; readonly retryAfterSeconds?: number; readonly rates?: readonly RateState[] }

/** Result of `introspect`. */
export type Introspection =
  | { readonly active: false; readonly record?: undefined; readonly scopes?: undefined; readonly resources?: undefined }
  | {
      readonly active: true
      readonly record: TokenRecord
      /** In force now, cut to the owner's. */
      readonly scopes: readonly string[]
      /** In force now, cut to the owner's. Absent: all data. */
      readonly resources?: Resources
    }
