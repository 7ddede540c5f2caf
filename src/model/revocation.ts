import type { TokenRecord } from './record.js'

/** Options of `revoke`. */
export type RevokeInput = {
  /** Stored as `revokedReason` and in the audit log. */
  readonly reason?: string | undefined
  /** Resolves only when every live node has applied the change, at most `maxStaleness` later. @default false */
  readonly waitForNodes?: boolean | undefined
}

/** Which tokens `revokeAll` revokes. At least one of the first three fields is required. */
export type RevokeAllInput = RevokeInput & {
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly all?: true | undefined
}

/** The owner that a call concerns: within one tenant or, without `tenantId`, within every tenant. */
export type OwnerInput = { readonly ownerId: string; readonly tenantId?: string | undefined }

/** The owner who left, for `ownerGone`: one tenant or, without `tenantId`, every tenant. */
export type OwnerGoneInput = RevokeInput &
  OwnerInput & {
    /** Changes nothing, and returns the tokens that would be revoked. @default false */
    readonly dryRun?: boolean | undefined
  }

/** Result of `ownerGone`. */
export type OwnerGone = {
  /** The number of tokens that were revoked, including those that had already expired. */
  readonly count: number
}

/** Result of `erase`: the number of records and audit events from which this call removed the owner's data. */
export type Erased = { readonly tokens: number; readonly events: number }

/** The tokens that would stop working if an owner left: the result of `ownerGone` with `dryRun: true`. */
export type OwnerForecast = {
  /** The number of active, pending and inactive tokens that would be revoked. */
  readonly live: number
  /** How many of them were used in the last 30 days. */
  readonly usedRecently: number
  /** The first 100 of them: the most recently used tokens first, and tokens that were never used last. */
  readonly items: readonly TokenRecord[]
  /** False if the owner has more than 10,000 tokens, in which case only the newest 10,000 were counted. */
  readonly complete: boolean
}
