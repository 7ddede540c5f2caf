import type { AuditAction, ListedEvent, StoredEvent } from '../model/event.js'
import type { MaybePromise } from '../model/json.js'
import type { ListedToken, RevokedCode, StoredToken, TokenStatus } from '../model/record.js'
import type { UsageBatch, UsageQuery, UsageRows, UsageTrim } from '../model/usage.js'
import type { StoreDiagnosis } from './diagnosis.js'
import type { ConsumerState, StoredSeal } from './kept.js'
import type { Move, Restored, RestoreResult } from './moving.js'
import type { ReadAge } from './read-age.js'

export type { ConsumerState, ReadAge, StoredSeal }

/**
 * The store port: the one interface between latchkey and a database. Methods may answer at once or with a promise.
 * Rules for every method: instants are absolute, whole milliseconds since the Unix epoch, given by the caller; what is absent is `undefined`, never
 * `null`; strings compare byte for byte; a failure is thrown, never swallowed. Prove an implementation with `storeContract` from `latchkey/testing`.
 */

/** Which tokens: every given field must match; `prefix` always does. */
export type TokenFilter = {
  readonly prefix: string
  readonly ids?: readonly string[]
  /** Any of these tenants; a token without a tenant matches none of them. */
  readonly tenantIds?: readonly string[]
  readonly ownerId?: string
  readonly createdBy?: string
  /** Of this line of rotations: tokens whose own `rootId` it is. */
  readonly rootId?: string
}

/** Asks for one page of tokens, newest first: `createdAt` descending, then `id` descending (by bytes). */
export type ListQuery = TokenFilter & {
  /** Any of these statuses at `now`. */
  readonly statuses?: readonly TokenStatus[]
  /** Substring of the name, taken literally. Case: ASCII letters match in either case. */
  readonly nameContains?: string
  /** Ids that begin with these characters, byte for byte. */
  readonly idStartsWith?: string
  /** Tokens with `rotationDueAt <= now` that are not revoked, not expired, and not replaced. */
  readonly rotationDue?: true
  /** With `rotationDue`: only tokens whose `rotationDueAt` is this instant or a later one. */
  readonly rotationDueFrom?: number
  /** Tokens whose `expiresAt` is this instant or a later one. */
  readonly expiresFrom?: number
  /** Tokens whose `expiresAt` lies before this instant. */
  readonly expiresBefore?: number
  /** Tokens that have no `expiresAt`. */
  readonly neverExpires?: true
  /** Tokens never used, or last used before this instant. */
  readonly unusedSince?: number
  /** Tokens never used at all. */
  readonly neverUsed?: true
  /** Tokens that have an `importedFrom`. */
  readonly imported?: true
  /** The caller's present instant, for `statuses` and `rotationDue`. */
  readonly now: number
  /** Only rows behind this one in the order of the list. The row itself need not exist any more. */
  readonly after?: { readonly createdAt: number; readonly id: string }
  /** At most this many rows, 1 to 1001. */
  readonly limit: number
}

/** A bulk revocation as it concerns one tenant; without a tenant, as it concerns the tokens that have none. */
export type BulkPart = { readonly bulkId: string; readonly tenantId?: string }

/** Asks for one page of audit events, newest first (`seq` descending) unless `order` says otherwise. */
export type EventQuery = {
  readonly prefix: string
  /** Only the event with this id. */
  readonly id?: string
  readonly tokenId?: string
  /**
   * With `tokenId`: the trail of a token that a bulk revocation ended, which has no event of its own about that. Also the events of this
   * revocation whose tenant is exactly this one, whoever created what they are about. The other fields hold for them too.
   */
  readonly bulk?: BulkPart
  /** Any of these tenants; an event without a tenant matches none of them. */
  readonly tenantIds?: readonly string[]
  readonly actions?: readonly AuditAction[]
  /** Only what this actor did. */
  readonly actorId?: string
  /** `from` is inclusive, `to` exclusive, on `at`. */
  readonly from?: number
  readonly to?: number
  /** Only events about tokens that this actor created; not asked of those that `bulk` adds. */
  readonly createdBy?: string
  /** Oldest first: `seq` ascending. Every event that is committed later than one that was answered stands behind it. */
  readonly order?: 'oldest'
  /** Only events behind this `seq` in the order asked for: smaller ones, or with `order: 'oldest'` larger ones. */
  readonly after?: number
  readonly limit: number
}

/** Asks for seals of a prefix: by ascending `number`, or with `order: 'newest'` descending. */
export type SealQuery = {
  readonly prefix: string
  /** Only seals with a larger number. Never together with `order`. */
  readonly after?: number
  readonly order?: 'newest'
  /** 1 to 100. */
  readonly limit: number
}

/** A single-use ticket, which stands for a token for some seconds. Its text is kept nowhere. */
export type StoredTicket = {
  readonly prefix: string
  /** 64 lower-case hexadecimal digits: the digest of the ticket's text. */
  readonly digest: string
  readonly tokenId: string
  readonly expiresAt: number
}

/** How many tickets a token may have. */
export type TicketRoom = {
  /** Tickets of one token whose `expiresAt` lies after `now`, the new one included. */
  readonly max: number
  readonly now: number
  /** Tickets of this prefix that ran out before this instant may go. */
  readonly forgetBefore: number
}

/** An owner whose permissions changed in one tenant; without a tenant, in all of them. */
export type OwnerChange = { readonly ownerId: string; readonly tenantId?: string }

/** A compare-and-set: the whole new record, good only if the stored version is still `expectedVersion`. */
export type Replacement = { readonly expectedVersion: number; readonly record: StoredToken }

/**
 * How many tokens may live: of an owner within a tenant (without `tenantId`: among the tokens that have none), or without `ownerId` of a tenant.
 * A token lives until it is revoked or has expired at `now`, also while it is inactive, not yet valid, or in its overlap.
 */
export type TokenCap = {
  readonly prefix: string
  readonly max: number
  readonly now: number
} & ({ readonly ownerId: string; readonly tenantId?: string } | { readonly tenantId: string; readonly ownerId?: undefined })

/** An event that loses personal fields: as this store answered it, and what is left of it, in the same place of the order. */
export type EventErasure = { readonly before: StoredEvent; readonly after: StoredEvent }

/** One atomic change: all of it happens, or none of it. */
export type Change = {
  /** Must hold once the change is made, however many changes race; else none of it happens. */
  readonly caps?: readonly TokenCap[]
  readonly inserts?: readonly StoredToken[]
  readonly updates?: readonly Replacement[]
  /** Removes tokens (with their usage, not their events). Ids that are gone already are ignored. */
  readonly removals?: readonly string[]
  /** Owners whose permissions changed, told through the feed. */
  readonly ownersChanged?: readonly OwnerChange[]
  /** Good only if the stored event still has the `salt` and the `erased` of `before`. Indexes follow what is left. */
  readonly erasures?: readonly EventErasure[]
  /** Forgets what the feed said before this change, for good: for whoever has not read that far, everything may have changed. */
  readonly cutsFeed?: true
  readonly events: readonly StoredEvent[]
}

/**
 * Whether a commit happened. `conflict` is the id whose insert existed, whose version was stale or that was gone, or of an event that existed, or that
 * is not as its erasure expects it. `exceeded` is the position of a cap that would not hold; where both are true of a change, it is a conflict.
 */
export type CommitResult =
  | { readonly ok: true; readonly exceeded?: undefined }
  | { readonly ok: false; readonly conflict: string; readonly exceeded?: undefined }
  | { readonly ok: false; readonly exceeded: number; readonly conflict?: undefined }

/** The part of a change that can be made inside a transaction of the host's: new tokens, with their events. */
export type Addition = Pick<Change, 'caps' | 'inserts' | 'events'>

/**
 * Whether an addition has become part of a transaction of the host's. `stored` is the token that stands under the conflicting id, as far as that
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

/** Result of a bulk revocation: how many tokens it ended, the events that it wrote, one for each tenant that it touched, and those placed before them. */
export type BulkResult = { readonly count: number; readonly events: readonly StoredEvent[]; readonly placed?: readonly StoredEvent[] }

/** How many events `placeEvents` places at most. */
export const PLACED_AT_ONCE = 100

/** A page of the change feed. */
export type FeedPage = {
  /** Where to read on. Opaque. */
  readonly cursor: string
  /** Tokens changed since, in commit order (repeats allowed). */
  readonly ids: readonly string[]
  /** Owners whose permissions changed since. */
  readonly owners: readonly OwnerChange[]
  /** Filters of the bulk revocations since then. Every token that one of them touched matches its filter; a filter may be wider than necessary. */
  readonly bulk: readonly TokenFilter[]
  /** Anything may have changed: the history behind `after` is gone, or is not known. */
  readonly everything: boolean
  /** There is more to read now. */
  readonly more: boolean
}

/** A running node: how far it has followed the feed, and until when it counts as alive. */
export type NodeLease = { readonly nodeId: string; readonly cursor: string; readonly expiresAt: number }

/** The port that a store implements. */
export interface TokenStore {
  /** The name of this store in messages: `sqlite`, `postgres`. */
  readonly name: string
  /** About how many rows a usage batch may have. Few where the store works on the caller's own thread, which each batch holds up. @default 500 */
  readonly usageRows?: number
  /** The records of up to 500 ids, in any order; unknown ids are left out. Read from the primary, unless `age` allows for less. */
  find(ids: readonly string[], age?: ReadAge): MaybePromise<readonly StoredToken[]>
  list(query: ListQuery): MaybePromise<readonly ListedToken[]>
  commit(change: Change): MaybePromise<CommitResult>
  /**
   * Makes an addition inside an open transaction of the host's, whose commit or rollback decides about it, and within a savepoint: where the answer is
   * not `ok`, or an error is thrown, the transaction goes on as if nothing had been asked. Takes no lock that another change waits for, and says nothing
   * in the feed. Caps hold as far as that transaction sees. The events get no place yet: `placeEvents` gives it to them.
   */
  commitIn?(transaction: object, addition: Addition): MaybePromise<AdditionResult>
  /**
   * Gives up to 100 events of a prefix that `commitIn` wrote, and whose transactions are committed, their place behind every other event, exactly once,
   * and names their tokens in the feed. Answers them: fewer only where nothing is left. `revokeWhere` does so with all of them before it writes its own.
   */
  placeEvents?(prefix: string): MaybePromise<readonly StoredEvent[]>
  /**
   * Revokes every token that matches and is not revoked yet. For each tenant that it touches it writes one event, and one without a tenant
   * for tokens that have none: `event` with that `tenantId`, its own `count`, and an id of its own, which is `event.id` for the first and
   * `event.id` with `_2`, `_3` … behind it for the others. Where `event` has a salt, each of them has another one, drawn at random or by a one-way function
   * of it, which is then kept nowhere: with the salt of one event nobody opens another's. Where nothing matches it writes nothing. Throws where `event.id`
   * exists.
   */
  revokeWhere(filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): MaybePromise<BulkResult>
  /** An event that cannot be read whole is answered without what cannot be read, and named by `damaged`: one damaged row must not hide the others. */
  events(query: EventQuery): MaybePromise<readonly ListedEvent[]>
  /** The changes behind a cursor, gap-free and in commit order. Without a cursor: the present end of the feed, and nothing in it. */
  changes(after: string | undefined, limit: number): MaybePromise<FeedPage>
  /**
   * Calls `wake` soon after the feed has grown. A hint only: it may be late, doubled or lost. Calls `lost` when nothing can wake any more, once or more
   * often, and `wake` when something can again. Answers how to stop.
   */
  subscribe?(wake: () => void, lost?: (error: unknown) => void): MaybePromise<() => MaybePromise<void>>
  /** Counts a batch, all of it or nothing. Answers whether it was counted now: not where this number of this node, or a later one, was before. */
  recordUsage(batch: UsageBatch): MaybePromise<boolean>
  usage(query: UsageQuery): MaybePromise<UsageRows>
  /** Registers or renews a node's lease. Whatever instants others write, it stays for hours after that. */
  renewLease(lease: NodeLease): MaybePromise<void>
  /** Registers or renews up to 1000 leases, each of another node, in one step: on behalf of the nodes that share a feed relay. */
  renewLeases?(leases: readonly NodeLease[]): MaybePromise<void>
  /** The leases that have not run out at `now`. */
  leases(now: number): MaybePromise<readonly NodeLease[]>
  /** The consumers of a prefix, each as it is now, in any order. */
  consumers(prefix: string): MaybePromise<readonly ConsumerState[]>
  /**
   * A compare-and-set: writes the state, good only if the stored version is one less, or for version 1 if nothing is stored under this prefix
   * and name. Answers whether it was written.
   */
  saveConsumer(state: ConsumerState): MaybePromise<boolean>
  seals(query: SealQuery): MaybePromise<readonly StoredSeal[]>
  /** Adds a seal, good only if its number is the one behind the newest of its prefix, or 1 if there is none. Answers whether it was written. */
  saveSeal(seal: StoredSeal): MaybePromise<boolean>
  /** Removes audit events of a prefix, up to 1000 by their ids. Ids that are gone already are ignored. */
  removeEvents(prefix: string, ids: readonly string[]): MaybePromise<void>
  /** Removes usage in a small batch, and answers whether there is more of it to remove. The instants of last uses stay. */
  trimUsage(trim: UsageTrim): MaybePromise<boolean>
  /**
   * Keeps a ticket, if its token exists and has room for it, however many are saved at once. Answers whether it was kept. Each call also removes
   * some that are to be forgotten, at least two where there are as many, in one small batch.
   */
  saveTicket(ticket: StoredTicket, room: TicketRoom): MaybePromise<boolean>
  /** Removes a ticket and answers it: of all who ask for it at once, to one only. */
  takeTicket(prefix: string, digest: string): MaybePromise<StoredTicket | undefined>
  /** The move to or from another store that a prefix is part of. A store that can be copied has this method and the next two. */
  readMove?(prefix: string): MaybePromise<Move | undefined>
  /**
   * A compare-and-set: writes `next`, or without it removes what is stored, good only if that is `expected`. Answers whether it was done. It stands in one
   * order with changes, also those inside transactions of the host's, each of which is committed before it or meets it; and the feed forgets its history.
   */
  saveMove?(prefix: string, expected: Move | undefined, next: Move | undefined): MaybePromise<boolean>
  /** Writes what another store kept, all of it or nothing, good only while the move of the prefix names this run. The feed need not tell of it. */
  restore?(restored: Restored): MaybePromise<RestoreResult>
  /** Is the feed position `cursor` at or past `target`? Both came from `changes`. */
  reached(cursor: string, target: string): boolean
  /** Creates or upgrades what the store needs. Called once before the first use; must be safe to race and to repeat. */
  migrate?(): MaybePromise<void>
  /** Looks at how the server is set up, and says what weakens a promise. Changes nothing, and asks nothing that the other methods have no right to. */
  diagnose?(): MaybePromise<StoreDiagnosis>
  close?(): MaybePromise<void>
}
