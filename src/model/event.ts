import type { Code } from '../errors.js'
import type { JsonObject } from './json.js'
import type { TokenRecord } from './record.js'

/** Every audit action: `token.…` is about one token, `tokens.…` about many. Stored, and given to `onEvent`, so that no name ever changes. */
export const ACTIONS = [
  'token.created',
  'token.updated',
  'token.activated',
  'token.deactivated',
  'token.rotated',
  'token.revoked',
  'token.refused',
  'token.leaked',
  'token.pruned',
  'token.imported',
  'token.rotation_due',
  'token.expiring',
  'token.expired',
  'token.unused',
  'token.old_still_used',
  'token.reused',
  'tokens.revoked',
  'consumer.behind',
  'owner.changed',
  'owner.gone',
  'owner.transferred',
  'owner.erased',
  'management.refused',
] as const

/** Stands where there must be the id of a person who was erased. No actor has this id. */
export const ERASED = 'erased'

/** The action that an event records. */
export type AuditAction = (typeof ACTIONS)[number]

/** An audit event as a store keeps it. `id` is unique: inserting it a second time is a conflict. */
export type StoredEvent = {
  readonly id: string
  readonly at: number
  readonly action: AuditAction
  readonly prefix: string
  readonly actorId: string
  readonly tokenId?: string
  readonly tenantId?: string
  readonly ownerId?: string
  /** Who created the token, for events about one token: it decides who may see the event. */
  readonly createdBy?: string
  /** From where the actor acted, where known. */
  readonly ip?: string
  readonly reason?: string
  /** For what was refused: why. */
  readonly code?: string
  /** For coalesced or bulk events: how many. */
  readonly count?: number
  /** For `tokens.revoked`: the bulk revocation, which each token that it ended names too. */
  readonly bulkId?: string
  /** The fields that a change touched, as they were and as they are. */
  readonly before?: JsonObject
  readonly after?: JsonObject
  /** Anything else, such as the filter of a bulk revocation. */
  readonly details?: JsonObject
  /** 32 random hexadecimal digits: seals commit to personal fields under it. Shown to nobody but whoever reads the whole audit. */
  readonly salt?: string
  /** Stands in place of `salt` once personal fields were erased. */
  readonly erased?: ErasedFields
}

/** What is left of an event's erased fields, by their paths: `actorId`, `after.name`. */
export type ErasedFields = {
  /** The commitments of the fields that are gone: seals hold these, and they tell nothing without the salt, which is gone too. */
  readonly commitments: { readonly [path: string]: string }
  /** The salts of the fields that are still there. */
  readonly salts: { readonly [path: string]: string }
}

/** An event as `events` answers it. */
export type ListedEvent = StoredEvent & {
  /** Grows in commit order, and is unique in the store. */
  readonly seq: number
  /** The fields that stand in the store and cannot be read, such as JSON that somebody broke. They are left out of the event. */
  readonly damaged?: readonly string[]
}

/** An audit event as callers see it. */
export type AuditEvent = {
  readonly id: string
  readonly at: Date
  readonly action: AuditAction
  readonly actorId: string
  readonly tokenId?: string
  readonly tenantId?: string
  readonly ownerId?: string
  readonly ip?: string
  readonly reason?: string
  readonly code?: Code
  readonly count?: number
  /** For `tokens.revoked`: the bulk revocation, which each token that it ended names too. */
  readonly bulkId?: string
  readonly before?: JsonObject
  readonly after?: JsonObject
  readonly details?: JsonObject
  /** Fields that cannot be read in the store, and are left out here: somebody or something damaged the row. */
  readonly damaged?: readonly string[]
}

/**
 * Handles one audit event at a time. The event counts as handled once the returned promise resolves.
 *
 * An event may come again, with the same `id`: after a failure, and after a crash.
 */
export type EventHandler = (
  event: AuditEvent,
  context: { /** Fires when nobody waits for this call any more: it took too long, or the consumer stops. */ readonly signal: AbortSignal },
) => unknown

/** A named consumer of audit events on this node. */
export type EventConsumer = {
  readonly name: string
  /** Waits for a handler that is under way, for `deadline` at most, keeps the position, and lets another node go on. */
  stop(): Promise<void>
}

/** The action for a token that was found where it should not be. */
export type LeakAction = 'revoke' | 'deactivate' | 'notify'

/** Input of `reportLeak`. */
export type LeakInput = {
  /** The text that was found. */
  readonly token: string
  /** Where: `content`, `commit`, `npm`. For the audit. */
  readonly source?: string | undefined
  readonly url?: string | undefined
  /** The finder's name for this kind of token. For the audit. */
  readonly type?: string | undefined
  readonly action: LeakAction
}

/** Result of `reportLeak`. `known` is false if the text is not one of our tokens. */
export type LeakReported =
  | { readonly known: false; readonly record?: undefined; readonly repeated?: undefined }
  | { readonly known: true; readonly record: TokenRecord /** This find was reported before. */; readonly repeated: boolean }
