/** A database that a cluster runs on, and the schema or key prefix that it uses. */
export type Backend = { readonly kind: 'postgres' | 'redis'; readonly url: string; readonly place: string }

/** A broker that the nodes of a cluster share, and the prefix of their channels. */
export type RelayPlace = { readonly kind: 'nats' | 'redis'; readonly url: string; readonly channel: string }

/** How the nodes of a cluster are set up. */
export type NodeOptions = {
  readonly backend: Backend
  readonly maxStaleness: number
  readonly deadline: number
  readonly relay?: RelayPlace
}

/** A command to a node. */
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

/** A token with its ID. */
export type Made = { readonly token: string; readonly id: string }

/** When a call began and ended, in milliseconds, by the machine's monotonic clock, which all processes share. */
export type Span = { readonly began: number; readonly ended: number }

/** The answers to a node's repeated verifications of one token. */
export type Watched = {
  readonly accepted: number
  readonly refused: number
  /** When the last accepted verification began. */
  readonly lastAcceptedBegan: number
  /** When the first refusal was returned. */
  readonly firstRefusedEnded: number | undefined
  /** Acceptances that began after a refusal. */
  readonly acceptedAgain: number
  /** How often each code was returned. */
  readonly codes: { readonly [code: string]: number }
}
