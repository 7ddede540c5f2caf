import type { Code, RefusalCode } from './errors.js'
import type { AuditAction, JsonObject, Resources, TokenStatus } from './store.js'

/**
 * Register your instance once, and scope names are checked at compile time everywhere:
 *
 * @example
 * ```ts
 * declare module 'latchkey' {
 *   interface Register { tokens: typeof tokens }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: users augment it
export interface Register {}

/** The scope names of the registered instance, or any string where none is registered. */
export type ScopeName = Register extends { tokens: { readonly catalogue: { readonly [Name in infer S]: string } } } ? S & string : string

/** An instant as callers may give it: a `Date`, milliseconds since the epoch, or an ISO 8601 string with a time zone. */
export type InstantInput = Date | number | string

/** Who is asking. Also what the `actor` callback of `management` answers. */
export type Actor = {
  /** Kept as `createdBy`, `revokedBy` and in the audit. Unique over all tenants: two people of one id share their idempotency keys. */
  readonly id: string
  /** The tenants it acts in, or `'*'` for all, which is also what it takes to touch tokens without a tenant. */
  readonly tenants: readonly string[] | '*'
  /** `own`: only the tokens that it created. `all`: every token of its tenants. */
  readonly manages: 'own' | 'all'
  /** What it may grant. Absent: everything in the catalogue. Empty: nothing. */
  readonly scopes?: readonly string[]
  /** What data it may grant access to. Absent: everything. An absent dimension is unrestricted. */
  readonly resources?: Resources
  /** The address it acts from, for the audit. */
  readonly ip?: string
}

/** An actor, or the application itself. */
export type ActorInput = Actor | 'system'

/** A token as everyone may see it: no secret, no digest. Instants are `Date`s, which JSON writes as ISO 8601 in UTC. */
export type TokenRecord = {
  readonly id: string
  readonly version: number
  readonly prefix: string
  /** For display: prefix, four characters of the id, an ellipsis. */
  readonly hint: string
  readonly name: string
  readonly description?: string
  readonly tenantId?: string
  readonly ownerId?: string
  readonly scopes: readonly string[]
  readonly resources?: Resources
  readonly allowedIps?: readonly string[]
  readonly metadata?: JsonObject
  /** Derived from the instants below at the moment of asking. */
  readonly status: TokenStatus
  readonly createdAt: Date
  readonly createdBy: string
  readonly updatedAt: Date
  readonly notBefore?: Date
  readonly expiresAt?: Date
  readonly deactivatedAt?: Date
  readonly deactivatedBy?: string
  readonly revokedAt?: Date
  readonly revokedBy?: string
  readonly revokedReason?: string
  readonly rotateEverySeconds?: number
  readonly rotationDueAt?: Date
  readonly replacesId?: string
  readonly replacedById?: string
  readonly lastUsedAt?: Date
  readonly lastUsedIp?: string
  readonly pepperId?: string
}

/** What `create` takes. */
export type CreateInput<S extends string = string> = {
  readonly name: string
  readonly description?: string | undefined
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly scopes: readonly GrantInput<S>[]
  readonly resources?: Resources | undefined
  readonly expiresAt?: InstantInput | undefined
  readonly ttlSeconds?: number | undefined
  readonly notBefore?: InstantInput | undefined
  readonly allowedIps?: readonly string[] | undefined
  readonly rotateEverySeconds?: number | undefined
  readonly metadata?: JsonObject | undefined
  /** A retry under the same key makes no second token: it answers the first record, without the token string. */
  readonly idempotencyKey?: string | undefined
}

/** What may stand among a token's scopes: a scope of the catalogue, a wildcard, a group. */
export type GrantInput<S extends string = string> = S | `${string}:*` | '*' | `@${string}`

/** What `update` takes. Left out: unchanged. `null`: removed. */
export type UpdateInput<S extends string = string> = {
  readonly name?: string | undefined
  readonly description?: string | null | undefined
  readonly scopes?: readonly GrantInput<S>[] | undefined
  readonly resources?: Resources | null | undefined
  readonly expiresAt?: InstantInput | null | undefined
  readonly notBefore?: InstantInput | null | undefined
  readonly allowedIps?: readonly string[] | null | undefined
  readonly rotateEverySeconds?: number | null | undefined
  readonly metadata?: JsonObject | null | undefined
}

/** A new token: `token` is shown here once and never again. */
export type Minted = { readonly token: string; readonly record: TokenRecord; readonly replayed?: undefined }

/** What a retry under a known idempotency key gets: the first answer's record as it is now. The token string is not kept anywhere. */
export type Replayed = { readonly token?: undefined; readonly record: TokenRecord; readonly replayed: true }

/** What the caller knows of the request that presents a token. */
export type VerifyContext = {
  /** The client's address, for `allowedIps`, last use and audit. */
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
  readonly tokenId: string
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

/** An audit event as callers see it. */
export type AuditEvent = {
  readonly id: string
  readonly at: Date
  readonly action: AuditAction
  readonly actorId: string
  readonly tokenId?: string
  readonly tenantId?: string
  readonly ownerId?: string
  readonly ip?: string
  readonly reason?: string
  readonly code?: Code
  readonly count?: number
  readonly before?: JsonObject
  readonly after?: JsonObject
  readonly details?: JsonObject
}

/** One page, and where the next one starts. */
export type Page<T> = { readonly items: readonly T[]; readonly nextCursor?: string }

/** What `usage` reports. */
export type UsageReport = {
  readonly tokenId: string
  /** Allowed uses in the asked range. */
  readonly total: number
  /** Refused uses in the asked range. */
  readonly refused: number
  readonly lastUsedAt?: Date
  readonly lastUsedIp?: string
  readonly buckets: readonly { readonly at: Date; readonly endpoint: string; readonly outcome: string; readonly count: number }[]
  readonly endpoints: readonly { readonly endpoint: string; readonly count: number }[]
  readonly outcomes: readonly { readonly outcome: string; readonly count: number }[]
  readonly addresses: readonly { readonly ip: string; readonly count: number; readonly lastAt: Date }[]
}

/** What `introspect` answers. */
export type Introspection =
  | { readonly active: false; readonly record?: undefined; readonly scopes?: undefined }
  | { readonly active: true; readonly record: TokenRecord /** In force now, cut to the owner's. */; readonly scopes: readonly string[] }

/** What to do with a token that was found where it should not be. */
export type LeakAction = 'revoke' | 'deactivate' | 'notify'

/** What `reportLeak` takes. */
export type LeakInput = {
  /** The text that was found. */
  readonly token: string
  /** Where: `content`, `commit`, `npm`. For the audit. */
  readonly source?: string | undefined
  readonly url?: string | undefined
  /** What the finder calls this kind of token. For the audit. */
  readonly type?: string | undefined
  readonly action: LeakAction
}

/** What `reportLeak` answers: `known` is false where the text is none of our tokens. */
export type LeakReported =
  | { readonly known: false; readonly record?: undefined; readonly repeated?: undefined }
  | { readonly known: true; readonly record: TokenRecord /** This find was reported before. */; readonly repeated: boolean }

/** What `usageOf` reports of one token: uses that were allowed and refused, in even steps of time. */
export type UsageSummary = {
  readonly tokenId: string
  /** Allowed uses in the asked range. */
  readonly total: number
  /** Refused uses in the asked range. */
  readonly refused: number
  /** Oldest first; `at` is where the step begins. Steps without a use are left out. */
  readonly steps: readonly { readonly at: Date; readonly count: number; readonly refused: number }[]
}

export type { AuditAction, JsonObject, MaybePromise, Resources, TokenStatus } from './store.js'
