import type { Duration, InstantInput } from './record.js'

/** How long a text of a use may be; longer ones are cut. */
export const MAX_USE_TEXT = 200

/** The name under which endpoints and addresses beyond the bounds are counted. */
export const OTHER_USES = '(other)'

/** Uses counted since the last flush. A batch with the same `nodeId` and a `seq` not above one already recorded is ignored, whole. */
export type UsageBatch = {
  /** Unique to one running instance. */
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
  /** Start of the hour, UTC. */
  readonly bucketAt: number
  /** The route's pattern with its method, `GET /stock/:id`, or the empty string where unknown. At most 200 characters. */
  readonly endpoint: string
  /** The scopes that the route required, in order with a space between them, or the empty string where none. At most 200 characters. */
  readonly scope: string
  /** `allowed`, or the code of the refusal. */
  readonly outcome: string
  readonly count: number
}

/** Adds `count` to an address of a token; `lastAt` only grows. The 1000 most recent are kept, older ones for as long as there are few. */
export type UsageAddress = { readonly tokenId: string; readonly ip: string; readonly count: number; readonly lastAt: number }

/** The last allowed use; an older one than the stored one changes nothing. */
export type LastUse = { readonly tokenId: string; readonly at: number; readonly ip?: string }

/** Asks for the usage of tokens. `from` is inclusive, `to` exclusive, on `bucketAt`; addresses are not cut by time. */
export type UsageQuery = {
  readonly tokenIds: readonly string[]
  readonly from?: number
  readonly to?: number
  /** At most so many counters come back, whichever are found first: whoever gets so many knows that there may be more. Absent: all. */
  readonly limit?: number
  /**
   * Adds counters up by token and step, so many milliseconds from `from`, which is then given. `bucketAt` is where a step begins, `outcome` is `allowed` or
   * `refused`, `endpoint` and `scope` are empty. No addresses are asked for then.
   */
  readonly stepMs?: number
}

/** Which usage is too old to be kept, of up to 100 tokens. */
export type UsageTrim = {
  readonly tokenIds: readonly string[]
  /** Counters of hours that begin before this instant. */
  readonly countsBefore?: number
  /** Addresses that were last seen before this instant. */
  readonly addressesBefore?: number
  /** Also the addresses of last uses; their instants stay. */
  readonly lastAddresses?: true
}

/** Counters by key, in ascending order of bucket, endpoint, outcome and scope; addresses, most recent first, at most 1000. */
export type UsageRows = {
  readonly counts: readonly UsageCount[]
  readonly addresses: readonly UsageAddress[]
}

/** Result of `usage`. */
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
  /** The scopes that routes required of allowed uses in the asked range, the most often required first. */
  readonly scopes: readonly { readonly scope: string; readonly count: number }[]
  /**
   * Those among the token's scopes that no allowed use in the asked range required; absent where it cannot be told. Routes tell by
   * `requireScopes`: what a handler asks of its principal by itself is not counted.
   */
  readonly unusedScopes?: readonly string[]
  readonly addresses: readonly { readonly ip: string; readonly count: number; readonly lastAt: Date }[]
}

/** One token's entry in the result of `usageOf`: allowed and refused uses in even steps of time. */
export type UsageSummary = {
  readonly tokenId: string
  /** Allowed uses in the asked range. */
  readonly total: number
  /** Refused uses in the asked range. */
  readonly refused: number
  /** Oldest first; `at` is where the step begins. Steps without a use are left out. */
  readonly steps: readonly { readonly at: Date; readonly count: number; readonly refused: number }[]
}

/** Range and page of `usage`. */
export type UsageInput = {
  readonly from?: InstantInput | undefined
  readonly to?: InstantInput | undefined
  /** How long a bucket is, whole hours from `from` on. Of the busiest tokens only longer ones fit into an answer. @default '1h' */
  readonly step?: Duration | undefined
}

/** Tokens and range of `usageOf`. */
export type UsageOfInput = {
  /** 1 to 100 ids. */
  readonly ids: readonly string[]
  readonly from: InstantInput
  /** @default now */
  readonly to?: InstantInput | undefined
  /** Whole hours, at most 1000 steps. @default '1h' */
  readonly step?: Duration | undefined
}
