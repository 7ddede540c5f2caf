import { StoreMovingError } from '../errors.js'
import type { ListedEvent } from '../model/event.js'
import type { StoredToken } from '../model/record.js'
import type { LastUse, UsageAddress, UsageCount } from '../model/usage.js'
import type { ConsumerState, StoredSeal } from './kept.js'

/**
 * How far a prefix has come on its way from one store to another, as each of both keeps it.
 *
 * The old one: `leaving`, while it is copied and everything goes on; `fenced`, which refuses changes; `left`, which decides nothing any more.
 * The new one: `arriving`, which decides nothing yet; `ready`, which refuses changes. Without a move everything goes on.
 */
export type MoveState = (typeof MOVE_STATES)[number]

export const MOVE_STATES = ['leaving', 'fenced', 'left', 'arriving', 'ready'] as const

/** The move of a prefix from one store to another. */
export type Move = {
  readonly state: MoveState
  /** The same in both stores. */
  readonly moveId: string
  /** Of whoever copies now: what an earlier one still wants to write is refused. */
  readonly runId: string
}

/** All that is kept of a token's usage. */
export type RestoredUsage = {
  readonly tokenId: string
  /** The rest of it, which is added to what was restored before. */
  readonly rest?: true
  readonly counts: readonly UsageCount[]
  readonly addresses: readonly UsageAddress[]
  readonly lastUse?: LastUse
}

/** What another store kept of a prefix. Whatever has one of these ids, names or numbers within the prefix is replaced, and so is the whole usage of a token, unless it is the `rest`. */
export type Restored = {
  readonly prefix: string
  readonly runId: string
  readonly tokens?: readonly StoredToken[]
  /** Ids. Their usage goes too. */
  readonly removedTokens?: readonly string[]
  /** Each in its place of the order: what is committed later stands behind all of them. */
  readonly events?: readonly ListedEvent[]
  readonly removedEvents?: readonly string[]
  readonly usage?: readonly RestoredUsage[]
  readonly consumers?: readonly ConsumerState[]
  readonly seals?: readonly StoredSeal[]
}

/** `superseded`: another run copies now. `taken`: something of another prefix has an id, or an event's place. Either way nothing was written. */
export type RestoreResult = 'written' | 'superseded' | 'taken'

/** Are these the same, or both absent? */
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

/** The prefix that a change is made for; `undefined` where nothing in it says so. */
export function prefixOf(change: {
  readonly events: readonly Prefixed[]
  readonly inserts?: readonly Prefixed[]
  readonly updates?: readonly { readonly record: Prefixed }[]
}): string | undefined {
  return (change.events[0] ?? change.inserts?.[0] ?? change.updates?.[0]?.record)?.prefix
}
