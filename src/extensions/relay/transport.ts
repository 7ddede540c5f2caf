import type { MaybePromise } from '../../model/json.js'

/**
 * Carries messages between the nodes: a broker with named channels. It may lose, delay, repeat and reorder messages; even then, no node trusts its cache
 * for longer than its bound.
 */
export type RelayTransport = {
  /** Sends a message of ASCII text to all subscribers of the channel. */
  publish(channel: string, message: string): MaybePromise<unknown>
  /** Calls `hear` with each message on the channel, including those of this node. Returns a function that unsubscribes. */
  subscribe(channel: string, hear: (message: string) => void): MaybePromise<() => MaybePromise<unknown>>
}
