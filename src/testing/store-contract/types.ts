import type { MaybePromise } from '../../model/json.js'
import type { TokenStore } from '../../store/port.js'

/** The test runner functions that the suite needs. Those of vitest, Jest, Mocha, `node:test` and Bun work. */
export type ContractRunner = {
  describe(name: string, body: () => void): unknown
  /** `timeout` is in milliseconds, for runners that take it as the third argument. */
  it(name: string, body: () => Promise<void>, timeout?: number): unknown
}

/** A transaction that the host has begun. */
export type BegunTransaction = {
  /** The value that the host passes to `create(input, { transaction })`. */
  readonly transaction: object
  commit(): MaybePromise<unknown>
  rollback(): MaybePromise<unknown>
}

/** A store under test. */
export type StoreSubject = {
  readonly store: TokenStore
  /** Another handle on the same data, as a second process would have. If omitted, `store` plays both roles. */
  readonly second?: TokenStore
  /** Opens a new handle on the same data after `store` was closed. */
  reopen(): MaybePromise<TokenStore>
  /** Drops the history of the change feed up to now, as the store does automatically once the feed has grown long. */
  trimFeed?(): MaybePromise<unknown>
  /** Begins a transaction on a separate connection, for a store that offers `commitIn`. No other call is made while it is open. */
  beginTransaction?(): MaybePromise<BegunTransaction>
  /** Called after the case, even if it failed. The handles are closed first. */
  dispose?(): MaybePromise<unknown>
}

/** How to create the stores under test. */
export type StoreContractOptions = {
  /** The name of the suite in the report. */
  readonly name: string
  /** Called once for each case. The store does not have to be empty: every case uses its own prefix and IDs. */
  create(): MaybePromise<StoreSubject>
  /** The timeout of each case. @default 60 */
  readonly timeoutSeconds?: number
  /** The number of operations in the long random history. @default 2000 */
  readonly operations?: number
}

/** One behavior that a store must have. */
export type StoreCase = { readonly title: string; run(stage: Stage): MaybePromise<void> }

/** Cases about one part of the port. */
export type StoreCases = { readonly title: string; readonly cases: readonly StoreCase[] }

/** Context of a case. */
export type Stage = {
  readonly store: TokenStore
  /** The second handle, or the first again. */
  readonly second: TokenStore
  /** Alternates between the handles, for concurrent work of several processes. */
  handle(turn: number): TokenStore
  reopen(): Promise<TokenStore>
  readonly trimFeed: (() => MaybePromise<unknown>) | undefined
  readonly beginTransaction: (() => MaybePromise<BegunTransaction>) | undefined
  /** No other case uses this prefix. */
  readonly prefix: string
  readonly operations: number
}
