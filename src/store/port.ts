import type { AuditAction, StoredEvent } from '../model/event.js'
import type { MaybePromise } from '../model/json.js'
import type { RevokedCode, StoredToken, TokenStatus } from '../model/record.js'
import type { UsageBatch, UsageQuery, UsageRows, UsageTrim } from '../model/usage.js'
import type { StoreDiagnosis } from './diagnosis.js'
import { type EventPage, MOST_EXAMINED } from './event-page.js'
import type { ConsumerState, ConsumerVersion, SealQuery, StoredSeal, StoredTicket, TicketRoom } from './kept.js'
import type { Move, Restored, RestoreResult } from './moving.js'
import type { ReadAge } from './read-age.js'
import { MOST_SEARCHED, type TokenPage } from './token-page.js'

export type { ConsumerState, ConsumerVersion, EventPage, ReadAge, SealQuery, StoredSeal, StoredTicket, TicketRoom, TokenPage }
export { MOST_EXAMINED, MOST_SEARCHED }

/**
 * The store port: the one interface between latchkey and a database. Methods may return a result or a promise.
 * Rules for every method: instants are absolute, whole milliseconds since the Unix epoch, passed by the caller; absent values are `undefined`, never
 * `null`; strings compare byte for byte; a failure is thrown, never swallowed. Test an implementation with `storeContract` from `latchkey/testing`.
 */

/** Selects tokens: every given field must match, and `prefix` always must. */
export type TokenFilter = {
  readonly prefix: string
  readonly ids?: readonly string[]
  /** Any of these tenants; a token without a tenant matches none of them. */
  readonly tenantIds?: readonly string[]
  readonly ownerId?: string
  readonly createdBy?: string
  /** Tokens in this lineage: those with this `rootId`. */
  readonly rootId?: string
}

/** A query for one page of tokens, newest first: `createdAt` descending, then `id` descending (by bytes). */
export type ListQuery = TokenFilter & {
  /** Any of these statuses at `now`. */
  readonly statuses?: readonly TokenStatus[]
  /** A substring of the name, matched literally; ASCII letters match in either case. */
  readonly nameContains?: string
  /** IDs that start with these characters, byte for byte. */
  readonly idStartsWith?: string
  /** Tokens with `rotationDueAt <= now` that are not revoked, not expired, and not replaced. */
  readonly rotationDue?: true
  /** With `rotationDue`: only tokens whose `rotationDueAt` is this instant or a later one. */
  readonly rotationDueFrom?: number
  /** Tokens whose `expiresAt` is this instant or a later one. */
  readonly expiresFrom?: number
  /** Tokens whose `expiresAt` is before this instant. */
  readonly expiresBefore?: number
  /** Tokens that have no `expiresAt`. */
  readonly neverExpires?: true
  /** Tokens never used, or last used before this instant. */
  readonly unusedSince?: number
  /** Tokens never used at all. */
  readonly neverUsed?: true
  /** Tokens that have an `importedFrom`. */
  readonly imported?: true
  /** Tokens that have no `replacedById`. */
  readonly notReplaced?: true
  /** The caller's current time, for `statuses` and `rotationDue`. */
  readonly now: number
  /** Only rows after this one in list order. The row itself may no longer exist. */
  readonly after?: { readonly createdAt: number; readonly id: string }
  /** At most this many rows, 1 to 1001. */
  readonly limit: number
}

/** A query for one page of the distinct tenants or owners of a prefix's tokens. */
export type DistinctQuery = {
  readonly prefix: string
  readonly field: 'tenantId' | 'ownerId'
  /** With `ownerId`: only owners of tokens of exactly this tenant. */
  readonly tenantId?: string
  /** Only values after this one, which may no longer exist. */
  readonly after?: string
  /** 1 to 500. */
  readonly limit: number
}

/** The part of a bulk revocation that affects one tenant, or, without a tenant, the tokens that have none. */
export type BulkPart = { readonly bulkId: string; readonly tenantId?: string }

/** A query for one page of audit events, newest first (`seq` descending) unless `order` says otherwise. */
export type EventQuery = {
  readonly prefix: string
  /** Only the event with this ID. */
  readonly id?: string
  readonly tokenId?: string
  /**
   * With `tokenId`: completes the trail of a token that a bulk revocation revoked, which has no event of its own. Also returns the events of this
   * revocation for exactly this tenant, regardless of `createdBy`. The other fields apply to them too.
   */
  readonly bulk?: BulkPart
  /** Any of these tenants; an event without a tenant matches none of them. */
  readonly tenantIds?: readonly string[]
  readonly actions?: readonly AuditAction[]
  readonly actorId?: string
  /** `from` is inclusive, `to` exclusive, on `at`. */
  readonly from?: number
  readonly to?: number
  /** Only events about tokens that this actor created. Does not apply to the events that `bulk` adds. */
  readonly createdBy?: string
  /** Oldest first: `seq` ascending. An event that is committed later always comes after one that was already returned. */
  readonly order?: 'oldest'
  /** Only events after this `seq` in the requested order: smaller ones, or larger ones with `order: 'oldest'`. */
  readonly after?: number
  readonly limit: number
}

/** An owner whose permissions changed in one tenant; without a tenant, in all of them. */
export type OwnerChange = { readonly ownerId: string; readonly tenantId?: string }

/** A compare-and-set: the whole new record, written only if the stored version is still `expectedVersion`. */
export type Replacement = { readonly expectedVersion: number; readonly record: StoredToken }

/**
 * How many tokens may exist: of an owner within a tenant (without `tenantId`: among the tokens that have none) or, without `ownerId`, of a tenant. A
 * token counts until it is revoked or has expired at `now`, even while it is inactive, not yet valid, or in its overlap. `now` is the clock of a node: other
 * caps may already have counted at a later time, and stores neither correct it nor replace it with their own time.
 */
export type TokenCap = {
  readonly prefix: string
  readonly max: number
  readonly now: number
} & ({ readonly ownerId: string; readonly tenantId?: string } | { readonly tenantId: string; readonly ownerId?: undefined })

/** An event that loses personal fields: as this store returned it, and as it remains, at the same position. */
export type EventErasure = { readonly before: StoredEvent; readonly after: StoredEvent }

/** One atomic change: all of it happens, or none of it. */
export type Change = {
  /** Must hold after the change, even if many changes run concurrently; otherwise none of it happens. */
  readonly caps?: readonly TokenCap[]
  readonly inserts?: readonly StoredToken[]
  readonly updates?: readonly Replacement[]
  /** Removes tokens with their usage, but not their events. IDs that no longer exist are ignored. If other data refers to a token, it is a conflict. */
  readonly removals?: readonly string[]
  /** Owners whose permissions changed, announced through the feed. */
  readonly ownersChanged?: readonly OwnerChange[]
  /** Applied only if the stored event still has the `salt` and the `erased` of `before`. Indexes follow the remaining fields. */
  readonly erasures?: readonly EventErasure[]
  /** Permanently drops the feed up to this cursor (all of it, if unknown). Readers that are further back must assume that everything changed. */
  readonly cutsFeed?: string
  readonly events: readonly StoredEvent[]
}

/**
 * Whether a commit happened. `conflict` is the ID of a token that already existed, had a different version or was gone, or of an event that already existed
 * or does not match its erasure. `exceeded` is the position of a cap that would be exceeded. If both apply to a change, it is a conflict.
 */
export type CommitResult =
  | { readonly ok: true; readonly exceeded?: undefined }
  | { readonly ok: false; readonly conflict: string; readonly exceeded?: undefined }
  | { readonly ok: false; readonly exceeded: number; readonly conflict?: undefined }

/** The part of a change that can be made inside the host's transaction: new tokens, with their events. */
export type Addition = Pick<Change, 'caps' | 'inserts' | 'events'>

/**
 * Whether an addition has become part of the host's transaction. `stored` is the token that has the conflicting ID, as far as that
 * transaction sees it. `refused` says why the transaction cannot be used.
 */
export type AdditionResult =
  | (CommitResult & { readonly refused?: undefined; readonly stored?: StoredToken | undefined })
  | { readonly ok: false; readonly refused: string; readonly conflict?: undefined; readonly exceeded?: undefined }

/** The fields that a bulk revocation writes into each token, which also gets `version + 1` and `updatedAt = revokedAt`. */
export type RevocationStamp = {
  readonly revokedAt: number
  readonly revokedBy: string
  readonly revokedCode: RevokedCode
  readonly revokedReason?: string
  /** The same as that of the events. */
  readonly bulkId: string
}

/** Result of a bulk revocation: the number of tokens that it revoked, the events that it wrote (one for each affected tenant), and those placed before them. */
export type BulkResult = { readonly count: number; readonly events: readonly StoredEvent[]; readonly placed?: readonly StoredEvent[] }

/** The maximum number of events that one call to `placeEvents` places. */
export const PLACED_AT_ONCE = 100

/** A page of the change feed. */
export type FeedPage = {
  /** The cursor to continue from. Opaque. */
  readonly cursor: string
  /** Tokens changed since, in commit order (repeats allowed). */
  readonly ids: readonly string[]
  /** Owners whose permissions changed since. */
  readonly owners: readonly OwnerChange[]
  /** Filters of the bulk revocations since then. Every token that one of them revoked matches its filter; a filter may be wider than necessary. */
  readonly bulk: readonly TokenFilter[]
  /** Anything may have changed: the history after `after` was removed or is unknown. */
  readonly everything: boolean
  /** True if there is more to read now. */
  readonly more: boolean
}

/** A running node: how far it has followed the feed, and until when it counts as alive. */
export type NodeLease = { readonly nodeId: string; readonly cursor: string; readonly expiresAt: number }

/** The port that a store implements. */
export interface TokenStore {
  /** The name of this store in messages: `sqlite`, `postgres`. */
  readonly name: string
  /**
   * The approximate number of rows that a usage batch may have. Keep it small if the store works on the caller's thread, which each batch blocks.
   * @default 500
   */
  readonly usageRows?: number
  /** Returns the records of up to 500 IDs, in any order; unknown IDs are omitted. Reads from the primary unless `age` permits an older state. */
  find(ids: readonly string[], age?: ReadAge): MaybePromise<readonly StoredToken[]>
  /** A row that is only partly readable is returned with its readable fields, at least its `id`, because one damaged row must not hide the others. */
  list(query: ListQuery): MaybePromise<TokenPage>
  /**
   * Returns the distinct values in a stable order of the store's choice. The cost depends on the number of values on the page, not on how many tokens
   * share one.
   */
  distinct(query: DistinctQuery): MaybePromise<readonly string[]>
  commit(change: Change): MaybePromise<CommitResult>
  /**
   * Makes an addition inside the host's open transaction. The addition is committed or rolled back with that transaction. Uses a savepoint: if the result is
   * not `ok`, or an error is thrown, the transaction continues as if this had not been called. Takes no lock that another change waits for, and adds nothing to
   * the feed. Caps count what that transaction sees. The events get no position yet: `placeEvents` assigns it.
   */
  commitIn?(transaction: object, addition: Addition): MaybePromise<AdditionResult>
  /**
   * Assigns positions to up to 100 committed events of a prefix that `commitIn` wrote: once each, after every other event. Adds their tokens to the feed.
   * Returns the events: fewer only if none are left. `revokeWhere` places all of them before it writes its own. With `tokenIds`, the others may wait.
   */
  placeEvents?(prefix: string, tokenIds?: readonly string[]): MaybePromise<readonly StoredEvent[]>
  /**
   * Revokes every matching token that is not revoked yet. It writes one event for each affected tenant, and one without a tenant for tokens that have none:
   * `event` with that `tenantId`, its own `count`, and its own ID, which is `event.id` for the first and `event.id` followed by `_2`, `_3` … for the others. If
   * `event` has a salt, each event gets a different one, drawn at random or derived by a one-way function from that salt, which is then not stored, because the
   * salt of one event must not reveal another's. If nothing matches, it writes nothing. Throws if `event.id` exists.
   */
  revokeWhere(filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): MaybePromise<BulkResult>
  /** An event that is partly unreadable is returned without the unreadable fields, which `damaged` names, because one damaged row must not hide the others. */
  events(query: EventQuery): MaybePromise<EventPage>
  /** Returns the changes after a cursor, without gaps and in commit order. Without a cursor: the current end of the feed, and no changes. */
  changes(after: string | undefined, limit: number): MaybePromise<FeedPage>
  /**
   * Calls `wake` soon after the feed has grown. This is only a hint: it may be late, repeated or lost. Calls `lost` once or more when wake-ups stop
   * working, and `wake` when they work again. Returns a function that stops it.
   */
  subscribe?(wake: () => void, lost?: (error: unknown) => void): MaybePromise<() => MaybePromise<void>>
  /** Counts a batch completely or not at all. Returns `false` if this number of this node, or a later one, was already counted. */
  recordUsage(batch: UsageBatch): MaybePromise<boolean>
  usage(query: UsageQuery): MaybePromise<UsageRows>
  /** Registers or renews a node's lease. It is kept for hours after its expiry, regardless of the times that others write. */
  renewLease(lease: NodeLease): MaybePromise<void>
  /** Registers or renews up to 1000 leases of different nodes in one step, on behalf of the nodes that share a feed relay. */
  renewLeases?(leases: readonly NodeLease[]): MaybePromise<void>
  /** Returns the leases that have not expired at `now`. */
  leases(now: number): MaybePromise<readonly NodeLease[]>
  /** Returns the consumers of a prefix in their current state, in any order. */
  consumers(prefix: string): MaybePromise<readonly ConsumerState[]>
  /**
   * A compare-and-set: writes the state only if the stored version is one less, or for version 1 only if nothing is stored under this prefix
   * and name. Returns whether it was written.
   */
  saveConsumer(state: ConsumerState): MaybePromise<boolean>
  /** A compare-and-set: removes a consumer only if the stored version is this one. Returns whether it was removed. */
  removeConsumer(consumer: ConsumerVersion): MaybePromise<boolean>
  seals(query: SealQuery): MaybePromise<readonly StoredSeal[]>
  /**
   * Adds a seal only if its number follows the newest one of its prefix, or is 1 if there is none. Returns whether it was written. A fence refuses it like
   * a commit: a seal that was added after the copy would be missing in the new store, although the host may have published its head.
   *
   * @throws StoreMovingError `store_moving`
   */
  saveSeal(seal: StoredSeal): MaybePromise<boolean>
  /** Removes up to 1000 audit events of a prefix by their IDs. IDs that no longer exist are ignored. */
  removeEvents(prefix: string, ids: readonly string[]): MaybePromise<void>
  /** Removes usage in a small batch, and returns whether there is more to remove. The times of last uses stay. */
  trimUsage(trim: UsageTrim): MaybePromise<boolean>
  /**
   * Stores a ticket if its token exists and is below its limit, even if many are saved concurrently. Returns whether it was stored. Each call also removes
   * expired tickets in one small batch: at least two, if there are that many.
   */
  saveTicket(ticket: StoredTicket, room: TicketRoom): MaybePromise<boolean>
  /** Removes and returns a ticket. If several callers request it concurrently, only one gets it. */
  takeTicket(prefix: string, digest: string): MaybePromise<StoredTicket | undefined>
  /** Returns the state of a prefix's move to or from another store. A store that can be copied has this method and the next two. */
  readMove?(prefix: string): MaybePromise<Move | undefined>
  /**
   * A compare-and-set: writes `next`, or without it removes the stored value, only if that is `expected`. Returns whether it did. It is serialized
   * with changes, including those inside the host's transactions, each of which either commits before it or sees it; and the feed drops its history.
   */
  saveMove?(prefix: string, expected: Move | undefined, next: Move | undefined): MaybePromise<boolean>
  /** Writes data from another store, all of it or nothing, and only while the move of the prefix names this run. The feed does not have to include it. */
  restore?(restored: Restored): MaybePromise<RestoreResult>
  /** Returns whether the feed position `cursor` is at or past `target`. Both come from `changes`. */
  reached(cursor: string, target: string): boolean
  /** Creates or upgrades the tables or keys that the store needs. Called once before the first use; must be safe to run concurrently and repeatedly. */
  migrate?(): MaybePromise<void>
  /** Checks how the server is set up, and reports what weakens a guarantee. Changes nothing, and needs no more permissions than the other methods. */
  diagnose?(): MaybePromise<StoreDiagnosis>
  close?(): MaybePromise<void>
}
