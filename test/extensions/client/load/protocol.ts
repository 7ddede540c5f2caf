/** The shortest rotation interval is an hour, so the clocks of the server and its holders run fast: an hour passes in a second. */
export const SPEED = 3600

/** Startup options of the server process. */
export type ServerOptions = { readonly database: string }

/** Messages from the server process. `held`: the server has rotated and will never respond. */
export type ServerSays =
  | { readonly says: 'ready'; readonly origin: string; readonly token: string }
  | { readonly says: 'held' }
  | { readonly says: 'line'; readonly line: Line }

/** Requests to the server process. */
export type ServerAsk = { readonly ask: 'hold' | 'line' }

/** All tokens ever created, as a chain in which each replaces the previous one, with the results of the rotations. */
export type Line = {
  readonly tokens: number
  readonly active: number
  /** Tokens that two others replace, and tokens that do not work although none replaces them. */
  readonly faults: readonly string[]
  /** Number of `POST /self/rotate` responses by status. */
  readonly rotations: { readonly [status: number]: number }
}

/** Startup options of a holder process. */
export type HolderOptions = {
  readonly origin: string
  readonly file: string
  readonly perSecond: number
  /** In simulated hours; one passes each second. */
  readonly overlapHours: number
  /** If set, the file lock detects a dead process sooner. */
  readonly quickLock?: boolean
  /** If set, saving a new token never returns. */
  readonly stuckSave?: boolean
}

/** Messages from a holder process, a few times a second. */
export type HolderSays =
  | {
      readonly says: 'progress'
      readonly sent: number
      readonly succeeded: number
      /** Requests that did not succeed. */
      readonly failed: readonly string[]
      /** IDs of the tokens that authenticated its requests. */
      readonly used: readonly string[]
      readonly errors: readonly string[]
      readonly latencies: readonly number[]
    }
  | { readonly says: 'saving' }
  | { readonly says: 'stopped' }
