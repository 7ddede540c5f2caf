/** A database that a cluster runs on, in a place of its own. */
export type Backend = { readonly kind: 'postgres' | 'redis'; readonly url: string; readonly place: string }

/** A broker that the nodes of a cluster share, and what their channels' names begin with. */
export type RelayPlace = { readonly kind: 'nats' | 'redis'; readonly url: string; readonly channel: string }

/** How the nodes of a cluster are set up. */
export type NodeOptions = {
  readonly backend: Backend
  readonly maxStaleness: number
  readonly deadline: number
  readonly relay?: RelayPlace
}

/** What a node is asked to do. */
export type Command =
  | { readonly do: 'open'; readonly options: NodeOptions }
  | { readonly do: 'create'; readonly count: number }
  | { readonly do: 'watch'; readonly token: string }
  | { readonly do: 'settle'; readonly token: string }
  | { readonly do: 'refused'; readonly token: string }
  | { readonly do: 'watched'; readonly token: string }
  | { readonly do: 'revoke'; readonly id: string; readonly waitForNodes?: boolean }
  | { readonly do: 'revokeAll'; readonly tenantId: string }
  | { readonly do: 'step'; readonly ms: number }
  | { readonly do: 'lie'; readonly on: boolean }
  | { readonly do: 'close' }

/** A token with its id. */
export type Made = { readonly token: string; readonly id: string }

/** When a call began and ended, on the machine's monotonic clock, which all processes share. In milliseconds. */
export type Span = { readonly began: number; readonly ended: number }

/** What a node that asked about one token again and again was answered. */
export type Watched = {
  readonly accepted: number
  readonly refused: number
  /** When the last verification began that was accepted. */
  readonly lastAcceptedBegan: number
  /** When the first refusal was answered. */
  readonly firstRefusedEnded: number | undefined
  /** Acceptances that began behind a refusal. */
  readonly acceptedAgain: number
  /** How often each code was answered. */
  readonly codes: { readonly [code: string]: number }
}
