/** A token that the nodes ask about. */
export type Target = { readonly id: string; readonly token: string }

/** What a node is asked to do. */
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

/** When a change began and was acknowledged, on the monotonic clock that all processes of the machine share, and the token that it made. */
export type Done = { readonly began: number; readonly ended: number; readonly made?: Target }

/** From one instant to another, of the same clock. */
export type Span = readonly [from: number, to: number]

/** What a node saw since its last report: instants of its verifications, in milliseconds of the same clock. */
export type Report = {
  /** By token, when the last accepted verification began. */
  readonly accepted: readonly (readonly [id: string, began: number])[]
  /** Refusals by token and code, with the instant of the first answer. */
  readonly refused: readonly (readonly [id: string, code: string, ended: number])[]
  /** Tokens that were accepted by a verification that began behind a final refusal of the same process. */
  readonly again: readonly string[]
  readonly verifications: number
  readonly unavailable: number
  /** Times in which a token was answered 503, until it was decided about again. */
  readonly outages: readonly Span[]
}
