import type { JsonObject, Resources } from './json.js'

/** A token as a store keeps it: everything but the secret. */
export type StoredToken = {
  /** 16 base62 characters, the primary key, case-sensitive. */
  readonly id: string
  /** 1 at insert, then one more with every change. */
  readonly version: number
  /** The prefix that the token was minted under; every query is bound to one. */
  readonly prefix: string
  /** SHA-256 or HMAC-SHA-256 of the token, 64 lower-case hexadecimal digits. */
  readonly digest: string
  /** Which pepper the digest leans on; absent without a pepper. */
  readonly pepperId?: string
  readonly name: string
  readonly description?: string
  /** Absent: good for every tenant. */
  readonly tenantId?: string
  readonly ownerId?: string
  readonly scopes: readonly string[]
  readonly resources?: Resources
  /** Addresses or CIDR ranges. Absent: from anywhere; empty: from nowhere. */
  readonly allowedIps?: readonly string[]
  readonly metadata?: JsonObject
  readonly createdAt: number
  readonly createdBy: string
  readonly updatedAt: number
  readonly notBefore?: number
  readonly expiresAt?: number
  readonly deactivatedAt?: number
  readonly deactivatedBy?: string
  readonly revokedAt?: number
  readonly revokedBy?: string
  readonly revokedReason?: string
  readonly rotateEverySeconds?: number
  /** When the next rotation is due. Removed when the token is rotated. */
  readonly rotationDueAt?: number
  readonly replacesId?: string
  readonly replacedById?: string
  /** A fingerprint of the request that made this token under an idempotency key; its id is derived from the key. */
  readonly requestHash?: string
}

/** A stored token with its last use, as `list` answers it. */
export type ListedToken = StoredToken & { readonly lastUsedAt?: number; readonly lastUsedIp?: string }

/** The status filter. Evaluate in this order at `now`: revoked, inactive, pending (`now < notBefore`), expired (`now >= expiresAt`), active. */
export type TokenStatus = 'pending' | 'active' | 'inactive' | 'expired' | 'revoked'

/** An instant as callers may give it: a `Date`, milliseconds since the epoch, or an ISO 8601 string with a time zone. */
export type InstantInput = Date | number | string

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

/** One page, and where the next one starts. */
export type Page<T> = { readonly items: readonly T[]; readonly nextCursor?: string }
