import type { FeedPage, NodeLease } from '../../store/port.js'

/** To everybody: who wants to read for all, who does, and who no longer does; and that the feed has grown. The last also goes to the reader alone. */
export type Signal = { readonly kind: 'offer' | 'beat' | 'gone' | 'wake' }

/** To the reader. */
export type Ask =
  | { readonly kind: 'page'; readonly nonce: string; readonly after: string; readonly limit: number }
  | { readonly kind: 'lease'; readonly nonce: string; readonly lease: NodeLease }

/** To whoever asked. `alone`: ask the store yourself. */
export type Answer =
  | { readonly kind: 'answer'; readonly nonce: string; readonly page: FeedPage }
  | { readonly kind: 'renewed' | 'alone'; readonly nonce: string }

/** What a message says. */
export type Body = Signal | Ask | Answer

/** A message with whom it is from and for: an id, or `*` for everybody. `seq` grows with each message of its sender. */
export type Message = { readonly from: string; readonly to: string; readonly seq: number; readonly body: Body }

export const EVERYBODY = '*'

const ID = /^[0-9a-f]{32}$/
const NONCE = /^[0-9a-f]{24}$/
/** Longer cursors and names of nodes are nobody's. */
const LONGEST = 200

/** Reads a message that was signed; `undefined` where it makes no sense. Pages are looked at again by whoever asked, as an answer of the store is. */
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
