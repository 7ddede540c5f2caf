import type { Duration, InstantInput } from './record.js'

/** The maximum length of each string in a use, such as its endpoint; longer strings are truncated. */
export const MAX_USE_TEXT = 200

/** The name under which endpoints and addresses above the limits are counted. */
export const OTHER_USES = '(other)'

/** Uses counted since the last flush. A batch is ignored as a whole if its `seq` is not greater than one already recorded for its `nodeId`. */
export type UsageBatch = {
  /** Unique for each running instance. */
  readonly nodeId: string
  /** 1, 2, 3 … within a node. */
  readonly seq: number
  readonly at: number
  readonly counts: readonly UsageCount[]
  readonly addresses: readonly UsageAddress[]
  readonly lastUses: readonly LastUse[]
}

/** Adds `count` to the counter with this key. */
export type UsageCount = {
  readonly tokenId: string
  /** The start of the hour, in UTC. */
  readonly bucketAt: number
  /** The method and pattern of the route, `GET /stock/:id`, or an empty string if unknown. At most 200 characters. */
  readonly endpoint: string
  /** The scopes that the route required, sorted and separated by spaces, or an empty string if none. At most 200 characters. */
  readonly scope: string
  /** `allowed`, or the code of the refusal. */
  readonly outcome: string
  readonly count: number
}

/** Adds `count` to an address of a token; `lastAt` only increases. The 1000 most recent addresses are always kept; older ones may be dropped. */
export type UsageAddress = { readonly tokenId: string; readonly ip: string; readonly count: number; readonly lastAt: number }

/** The last allowed use. Ignored if the stored last use is newer. */
export type LastUse = { readonly tokenId: string; readonly at: number; readonly ip?: string }

/** A query for the usage of tokens. `from` is inclusive and `to` is exclusive; both apply to `bucketAt`, not to addresses. */
export type UsageQuery = {
  readonly tokenIds: readonly string[]
  readonly from?: number
  readonly to?: number
  /**
   * The maximum number of counters to read, in the order in which they are found. If that many are returned, or added up, there may be more. A statement
   * must not read more of them. Absent: all.
   */
  readonly limit?: number
  /**
   * Sums counters by token and step. Steps have this many milliseconds, counted from `from`, which is then required. `bucketAt` is the start of a
   * step, `outcome` is `allowed` or `refused`, and `endpoint` and `scope` are empty. Addresses are not queried then.
   */
  readonly stepMs?: number
}

/** The usage to remove because of its age, for up to 100 tokens. */
export type UsageTrim = {
  readonly tokenIds: readonly string[]
  /** Counters of hours that begin before this instant. */
  readonly countsBefore?: number
  /** Addresses last seen before this instant. */
  readonly addressesBefore?: number
  /** Also the addresses of last uses; the times of last uses stay. */
  readonly lastAddresses?: true
}

/** Counters by key, in ascending order of bucket, endpoint, outcome and scope; addresses, most recent first, at most 1000. */
export type UsageRows = {
  readonly counts: readonly UsageCount[]
  readonly addresses: readonly UsageAddress[]
  /** The number of counters that the sums include. Required if the query has a `stepMs`. */
  readonly summed?: number
}

/** Result of `usage`. */
export type UsageReport = {
  readonly tokenId: string
  /** Allowed uses in the requested range. */
  readonly total: number
  /** Refused uses in the requested range. */
  readonly refused: number
  readonly lastUsedAt?: Date
  readonly lastUsedIp?: string
  readonly buckets: readonly { readonly at: Date; readonly endpoint: string; readonly outcome: string; readonly count: number }[]
  readonly endpoints: readonly { readonly endpoint: string; readonly count: number }[]
  readonly outcomes: readonly { readonly outcome: string; readonly count: number }[]
  /** The scopes that routes required for allowed uses in the requested range, the most frequently required first. */
  readonly scopes: readonly { readonly scope: string; readonly count: number }[]
  /**
   * The token's scopes that no allowed use in the requested range required; absent if that cannot be determined. Only the scopes of `requireScopes`
   * count, not those that a handler checks with `principal.allows()`.
   */
  readonly unusedScopes?: readonly string[]
  /**
   * The addresses from which the token was used, the most recent first, at most 1000. These are totals of all uses for which an address is kept, so the
   * requested range does not limit them.
   */
  readonly addresses: readonly { readonly ip: string; readonly count: number; readonly lastAt: Date }[]
}

/** One token's entry in the result of `usageOf`: allowed and refused uses in equal time steps. */
export type UsageSummary = {
  readonly tokenId: string
  /** Allowed uses in the requested range. */
  readonly total: number
  /** Refused uses in the requested range. */
  readonly refused: number
  /** Oldest first; `at` is the start of the step. Steps without a use are omitted. */
  readonly steps: readonly { readonly at: Date; readonly count: number; readonly refused: number }[]
}

/** Range and page of `usage`. The range limits the counts by hour, but not the addresses. */
export type UsageInput = {
  readonly from?: InstantInput | undefined
  readonly to?: InstantInput | undefined
  /** The length of a bucket in whole hours, counted from `from`. Very busy tokens need longer buckets to fit into a response. @default '1h' */
  readonly step?: Duration | undefined
}

/** Tokens and range of `usageOf`. */
export type UsageOfInput = {
  /** 1 to 100 IDs. */
  readonly ids: readonly string[]
  /** At most 366 days before `to`. */
  readonly from: InstantInput
  /** @default now */
  readonly to?: InstantInput | undefined
  /** Whole hours, at most 1000 steps. @default '1h' */
  readonly step?: Duration | undefined
}
