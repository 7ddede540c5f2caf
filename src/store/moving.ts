import { StoreMovingError } from '../errors.js'
import type { ListedEvent } from '../model/event.js'
import type { StoredToken } from '../model/record.js'
import type { LastUse, UsageAddress, UsageCount } from '../model/usage.js'
import type { ConsumerState, StoredSeal } from './kept.js'

/**
 * The state of a prefix's move from one store to another. Each of the two stores keeps its own.
 *
 * The old store: `leaving`, while it is copied and changes continue; `fenced`, when it refuses changes; `left`, when it no longer verifies tokens, but
 * nodes still write their buffered counts; `gone`, when it accepts no writes. The new store: `arriving`, when it does not accept tokens
 * yet; `ready`, when it refuses changes. Without a move there are no restrictions.
 */
export type MoveState = (typeof MOVE_STATES)[number]

export const MOVE_STATES = ['leaving', 'fenced', 'left', 'gone', 'arriving', 'ready'] as const

/** The move of a prefix from one store to another. */
export type Move = {
  readonly state: MoveState
  /** The same in both stores. */
  readonly moveId: string
  /** Identifies the current copy run; writes of an earlier run are refused. */
  readonly runId: string
}

/** All stored usage of a token. */
export type RestoredUsage = {
  readonly tokenId: string
  /** This is the remaining usage, which is added to the usage that was restored earlier. */
  readonly rest?: true
  readonly counts: readonly UsageCount[]
  readonly addresses: readonly UsageAddress[]
  readonly lastUse?: LastUse
}

/**
 * Data of a prefix from another store. It replaces everything with the same IDs, names or numbers within the prefix, and the whole usage of a token
 * unless it is marked as the `rest`.
 */
export type Restored = {
  readonly prefix: string
  readonly runId: string
  readonly tokens?: readonly StoredToken[]
  /** IDs of tokens to remove, along with their usage. */
  readonly removedTokens?: readonly string[]
  /** Each event keeps its position; events that are committed later come after all of them. */
  readonly events?: readonly ListedEvent[]
  readonly removedEvents?: readonly string[]
  readonly usage?: readonly RestoredUsage[]
  readonly consumers?: readonly ConsumerState[]
  /** The names of consumers to remove. */
  readonly removedConsumers?: readonly string[]
  readonly seals?: readonly StoredSeal[]
}

/**
 * `superseded`: another run is copying now. `taken`: another prefix already uses an ID or an event's position. In either case nothing was written.
 */
export type RestoreResult = 'written' | 'superseded' | 'taken'

/** Returns whether both are the same move in the same state, or both are absent. */
export function isSameMove(a: Move | undefined, b: Move | undefined): boolean {
  return a?.state === b?.state && a?.moveId === b?.moveId && a?.runId === b?.runId
}

/**
 * Refuses a change while a move fences it.
 *
 * @throws StoreMovingError `store_moving`
 */
export function refuseWhileMoving(move: Move | undefined): void {
  if (move !== undefined && move.state !== 'leaving') throw new StoreMovingError()
}

type Prefixed = { readonly prefix: string }

/** Returns the prefix that a change affects, or `undefined` if the change does not contain it. */
export function prefixOf(change: {
  readonly events: readonly Prefixed[]
  readonly inserts?: readonly Prefixed[]
  readonly updates?: readonly { readonly record: Prefixed }[]
  readonly erasures?: readonly { readonly after: Prefixed }[]
}): string | undefined {
  return (change.events[0] ?? change.inserts?.[0] ?? change.updates?.[0]?.record ?? change.erasures?.[0]?.after)?.prefix
}

/** Returns whether a change only drops the history of the feed. A move never blocks it, because the feed is not copied, and its history covers every prefix. */
export function onlyCutsFeed({ cutsFeed, ...parts }: { readonly cutsFeed?: string; readonly [part: string]: unknown }): boolean {
  return cutsFeed !== undefined && Object.values(parts).every((part) => !Array.isArray(part) || part.length === 0)
}
