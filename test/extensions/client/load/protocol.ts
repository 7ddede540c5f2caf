/** Tokens are due every hour at the least, so the clocks of the server and of its holders run fast: an hour passes in a second. */
export const SPEED = 3600

/** What the server's process is told to begin with. */
export type ServerOptions = { readonly database: string }

/** What the server's process says. `held`: it has rotated, and will never answer. */
export type ServerSays =
  | { readonly says: 'ready'; readonly origin: string; readonly token: string }
  | { readonly says: 'held' }
  | { readonly says: 'line'; readonly line: Line }

/** What the server's process is asked. */
export type ServerAsk = { readonly ask: 'hold' | 'line' }

/** All tokens that ever were: a line, in which each replaces the one before it, and how the rotations went. */
export type Line = {
  readonly tokens: number
  readonly active: number
  /** Tokens that two others replace, or that are replaced by none and do not work. */
  readonly faults: readonly string[]
  /** Answers of `POST /self/rotate`, by status. */
  readonly rotations: { readonly [status: number]: number }
}

/** What a holder's process is told to begin with. */
export type HolderOptions = {
  readonly origin: string
  readonly file: string
  readonly perSecond: number
  /** In hours, each of which passes in a second. */
  readonly overlapHours: number
  /** Given: the lock of the file is quicker to find that somebody is dead. */
  readonly quickLock?: boolean
  /** Never comes back from saving a new token. */
  readonly stuckSave?: boolean
}

/** What a holder's process says, a few times a second. */
export type HolderSays =
  | {
      readonly says: 'progress'
      readonly sent: number
      readonly succeeded: number
      /** What else happened to its requests. */
      readonly failed: readonly string[]
      /** Ids of the tokens that it was let in with. */
      readonly used: readonly string[]
      readonly errors: readonly string[]
      readonly latencies: readonly number[]
    }
  | { readonly says: 'saving' }
  | { readonly says: 'stopped' }
