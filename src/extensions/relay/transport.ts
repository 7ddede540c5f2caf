import type { MaybePromise } from '../../model/json.js'

/**
 * Carries messages between the nodes: a broker with named channels. It may lose, delay, repeat and reorder them; whatever it does, no node believes its
 * cache for longer than its bound.
 */
export type RelayTransport = {
  /** Sends a message of ASCII text to everybody who has subscribed to the channel. */
  publish(channel: string, message: string): MaybePromise<unknown>
  /** Calls `hear` with each message on the channel, also those of this node. Answers how to stop. */
  subscribe(channel: string, hear: (message: string) => void): MaybePromise<() => MaybePromise<unknown>>
}
