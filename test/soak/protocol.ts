/** A token that the nodes verify. */
export type Target = { readonly id: string; readonly token: string }

/** A command to a node. */
export type Command =
  | { readonly do: 'open'; readonly url: string; readonly read: string; readonly schema: string; readonly maxStaleness: number }
  | { readonly do: 'patrol'; readonly add: readonly Target[]; readonly drop: readonly string[] }
  | { readonly do: 'create'; readonly tenantId?: string }
  | { readonly do: 'update'; readonly id: string }
  | { readonly do: 'rotate'; readonly id: string }
  | { readonly do: 'revoke'; readonly id: string }
  | { readonly do: 'revokeAll'; readonly tenantId: string }
  | { readonly do: 'step'; readonly ms: number }
  | { readonly do: 'close' }

/**
 * When a change began and was acknowledged, on the monotonic clock that all processes of the machine share, and the token that the change
 * created.
 */
export type Done = { readonly began: number; readonly ended: number; readonly made?: Target }

/** From one instant to another, on the same clock. */
export type Span = readonly [from: number, to: number]

/** A node's observations since its last report. Instants are in milliseconds of the same clock. */
export type Report = {
  /** For each token, when its last accepted verification began. */
  readonly accepted: readonly (readonly [id: string, began: number])[]
  /** Refusals by token and code, with the instant of the first refusal. */
  readonly refused: readonly (readonly [id: string, code: string, ended: number])[]
  /** Tokens that were accepted in a verification that began after a final refusal by the same process. */
  readonly again: readonly string[]
  readonly verifications: number
  readonly unavailable: number
  /** Periods in which a token was answered with 503, until it was decided again. */
  readonly outages: readonly Span[]
}
