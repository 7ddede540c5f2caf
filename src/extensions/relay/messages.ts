import type { FeedPage, NodeLease } from '../../store/port.js'

/** Sent to all nodes: a node offers to read, is reading, or has stopped reading; or the feed has grown. The last one can also be sent to the reader alone. */
export type Signal = { readonly kind: 'offer' | 'beat' | 'gone' | 'wake' }

/** Sent to the reader. */
export type Ask =
  | { readonly kind: 'page'; readonly nonce: string; readonly after: string; readonly limit: number }
  | { readonly kind: 'lease'; readonly nonce: string; readonly lease: NodeLease }

/** Sent to the node that asked. `alone` tells it to query the store itself. */
export type Answer =
  | { readonly kind: 'answer'; readonly nonce: string; readonly page: FeedPage }
  | { readonly kind: 'renewed' | 'alone'; readonly nonce: string }

/** The content of a message. */
export type Body = Signal | Ask | Answer

/** A message with its sender and receiver: an ID, or `*` for all nodes. `seq` increases with each message of a sender. */
export type Message = { readonly from: string; readonly to: string; readonly seq: number; readonly body: Body }

export const EVERYBODY = '*'

const ID = /^[0-9a-f]{32}$/
const NONCE = /^[0-9a-f]{24}$/
/** No valid cursor or node name is longer. */
const LONGEST = 200

/** Reads a signed message, or returns `undefined` if it is invalid. The node that asked validates pages again, as it does with the store's answers. */
export function readMessage(value: unknown): Message | undefined {
  const { from, to, seq, body } = Object(value) as { readonly [K in keyof Message]?: unknown }
  if (typeof from !== 'string' || !ID.test(from) || typeof to !== 'string' || !(to === EVERYBODY || ID.test(to))) return undefined
  if (!isCount(seq)) return undefined
  const read = readBody(Object(body))
  return read && { from, to, seq, body: read }
}

function readBody({ kind, nonce, after, limit, lease, page }: { readonly [name: string]: unknown }): Body | undefined {
  if (kind === 'offer' || kind === 'beat' || kind === 'gone' || kind === 'wake') return { kind }
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) return undefined
  if (kind === 'renewed' || kind === 'alone') return { kind, nonce }
  if (kind === 'answer') return { kind, nonce, page: page as FeedPage }
  if (kind === 'page') return isWord(after) && isCount(limit) ? { kind, nonce, after, limit } : undefined
  const read = kind === 'lease' ? readLease(lease) : undefined
  return read && { kind: 'lease', nonce, lease: read }
}

function readLease(value: unknown): NodeLease | undefined {
  const { nodeId, cursor, expiresAt } = Object(value) as { readonly [K in keyof NodeLease]?: unknown }
  return isWord(nodeId) && isWord(cursor) && isCount(expiresAt) ? { nodeId, cursor, expiresAt } : undefined
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
