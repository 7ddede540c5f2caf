import type { RefusalCode } from '../errors.js'
import type { JsonObject, Resources } from './json.js'
import type { TokenRecord } from './record.js'
import type { Register } from './register.js'

/** The scope names of the registered instance, or any string if none is registered. */
export type ScopeName = Register extends { tokens: { readonly catalogue: { readonly [Name in infer S]: string } } } ? S & string : string

/** The request that presents a token, as far as the caller knows it. */
export type VerifyContext = {
  /** The client's address, for address limits, the last use, and the audit log. */
  readonly ip?: string | undefined
  readonly method?: string | undefined
  /** The route's pattern, not the raw path. */
  readonly endpoint?: string | undefined
  /** The principal that this same request was admitted as before, so that one request counts only once against rate limits. */
  readonly admitted?: Principal | undefined
}

/** The state of a rate limit or quota. */
export type RateState = {
  readonly name: string
  /** Uses in a window. */
  readonly limit: number
  readonly remaining: number
  /** Time until the uses are available again; absent if they never become available by themselves. */
  readonly resetSeconds?: number
  /** The length of a window; absent if it never ends. */
  readonly windowSeconds?: number
}

/** The identity behind a valid token. */
export interface Principal<S extends string = string> {
  /** The kind of credential: an API token, a signed token, one of the host's sessions, or another issuer's token. */
  readonly kind: 'token' | 'signed' | 'session' | 'foreign'
  /** Absent for sessions. */
  readonly tokenId?: string
  readonly name: string
  readonly tenantId?: string
  readonly ownerId?: string
  /** The effective scopes: groups and wildcards are resolved, and limited to the owner's. */
  readonly scopes: readonly string[]
  readonly resources?: Resources
  readonly metadata?: JsonObject
  /** Returns whether the token covers this scope and each of the named resources. */
  allows(scope: S, resources?: { readonly [dimension: string]: string | readonly string[] }): boolean
  /** Fires if the token expires or is revoked or deactivated while work is still in progress. */
  readonly signal: AbortSignal
}

/** Result of `verify`. */
export type Verification<S extends string = string> =
  | {
      readonly ok: true
      readonly principal: Principal<S>
      /** The state of the checked limits of the `rateLimit` option after this use. */
      readonly rates?: readonly RateState[]
    }
  | { readonly ok: false; readonly code: RefusalCode; readonly retryAfterSeconds?: number; readonly rates?: readonly RateState[] }

/** Result of `introspect`. */
export type Introspection =
  | { readonly active: false; readonly record?: undefined; readonly scopes?: undefined; readonly resources?: undefined }
  | {
      readonly active: true
      readonly record: TokenRecord
      /** The effective scopes, limited to the owner's. */
      readonly scopes: readonly string[]
      /** The effective resources, limited to the owner's. Absent: all data. */
      readonly resources?: Resources
    }
