import type { TokenRecord } from './record.js'

/** Options of `revoke`. */
export type RevokeInput = {
  /** Kept as `revokedReason` and in the audit. */
  readonly reason?: string | undefined
  /** Resolve only when every live node has followed the change, at most `maxStaleness` later. @default false */
  readonly waitForNodes?: boolean | undefined
}

/** Which tokens `revokeAll` ends: at least one of the first three. */
export type RevokeAllInput = RevokeInput & {
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly all?: true | undefined
}

/** Whose permissions a call is about; without a tenant, in every tenant. */
export type OwnerInput = { readonly ownerId: string; readonly tenantId?: string | undefined }

/** Who left, for `ownerGone`; without a tenant, from every tenant. */
export type OwnerGoneInput = RevokeInput &
  OwnerInput & {
    /** Change nothing, and answer which tokens would end. @default false */
    readonly dryRun?: boolean | undefined
  }

/** Result of `ownerGone`. */
export type OwnerGone = {
  /** How many tokens it ended. Those that had expired before count too. */
  readonly count: number
}

/** Result of `erase`: how many records and audit events lost what they said about the owner in this call. */
export type Erased = { readonly tokens: number; readonly events: number }

/** What would stop working without an owner: the answer to `ownerGone` with `dryRun: true`. */
export type OwnerForecast = {
  /** How many tokens would end that work now, wait for their start, or are inactive. */
  readonly live: number
  /** How many of these were used in the last 30 days. */
  readonly usedRecently: number
  /** The first 100 of them: the most recently used first, those never used last. */
  readonly items: readonly TokenRecord[]
  /** False where the owner has more tokens than the 10,000 newest, which alone were counted. */
  readonly complete: boolean
}
