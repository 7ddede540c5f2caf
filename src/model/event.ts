import type { Code } from '../errors.js'
import type { JsonObject } from './json.js'
import type { Duration, TokenRecord } from './record.js'

/** Every audit action: `token.…` is about one token, `tokens.…` about many. They are stored and passed to `onEvent`, so a name never changes. */
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

/** Replaces the ID of a person who was erased. No actor has this ID. */
export const ERASED = 'erased'

/** Returns whether `erase` has processed this token. */
export function isErased(record: {
  readonly name: string
  readonly ownerId?: string | undefined
  readonly revokedAt?: number | undefined
}): boolean {
  return record.revokedAt !== undefined && record.name === ERASED && record.ownerId === undefined
}

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
  /** Who created the token, for events about one token. It decides who can see the event. */
  readonly createdBy?: string
  /** The address that the actor used, if known. */
  readonly ip?: string
  readonly reason?: string
  /** For refusals: the reason. */
  readonly code?: string
  /** For coalesced or bulk events: the number of occurrences. */
  readonly count?: number
  /** For `tokens.revoked`: the ID of the bulk revocation. Each token that it revoked has the same `bulkId`. */
  readonly bulkId?: string
  /** The changed fields, with their old and new values. */
  readonly before?: JsonObject
  readonly after?: JsonObject
  /** Anything else, such as the filter of a bulk revocation. */
  readonly details?: JsonObject
  /** 32 random hexadecimal digits that blind the seals' commitments to personal fields. Visible only to actors who read the whole audit log. */
  readonly salt?: string
  /** Replaces `salt` once personal fields have been erased. */
  readonly erased?: ErasedFields
}

/** The remains of an event's erased fields, by path: `actorId`, `after.name`. */
export type ErasedFields = {
  /** The commitments of the erased fields: seals contain these, and they reveal nothing without the salt, which is erased too. */
  readonly commitments: { readonly [path: string]: string }
  /** The salts of the remaining fields. */
  readonly salts: { readonly [path: string]: string }
}

/** An event as `events` returns it. */
export type ListedEvent = StoredEvent & {
  /** Increases in commit order, and is unique within the store. */
  readonly seq: number
  /** Fields that are unreadable in the store, such as broken JSON. They are omitted from the event. */
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
  /** For `tokens.revoked`: the ID of the bulk revocation. Each token that it revoked has the same `bulkId`. */
  readonly bulkId?: string
  readonly before?: JsonObject
  readonly after?: JsonObject
  readonly details?: JsonObject
  /** Fields that are unreadable in the store and omitted here, because the row was damaged. */
  readonly damaged?: readonly string[]
}

/**
 * Handles one audit event at a time. The event counts as handled once the returned promise resolves.
 *
 * An event may arrive again with the same `id`: after a failure, and after a crash.
 */
export type EventHandler = (
  event: AuditEvent,
  context: {
    /** Fires when nothing is waiting for this call anymore: it took too long, or the consumer is stopping. */ readonly signal: AbortSignal
  },
) => unknown

/** A named consumer of audit events on this node. */
export type EventConsumer = {
  readonly name: string
  /** Waits at most `deadline` for a running handler, saves the position, and lets another node continue. */
  stop(): Promise<void>
}

/** The action for a token that was found where it should not be. */
export type LeakAction = 'revoke' | 'deactivate' | 'notify'

/** Input of `reportLeak`. */
export type LeakInput = {
  /** The text that was found. */
  readonly token: string
  /** Where it was found: `content`, `commit`, `npm`. For the audit log. */
  readonly source?: string | undefined
  readonly url?: string | undefined
  /** The finder's name for this kind of token. For the audit log. */
  readonly type?: string | undefined
  readonly action: LeakAction
}

/** Result of `reportLeak`. `known` is false if the text is not one of our tokens. */
export type LeakReported =
  | { readonly known: false; readonly record?: undefined; readonly repeated?: undefined }
  | { readonly known: true; readonly record: TokenRecord /** This finding was reported before. */; readonly repeated: boolean }

/** Options of `consume`. */
export type ConsumeOptions = {
  /** Where a new consumer starts: with the oldest stored event, or with events from now on. @default 'start' */
  readonly from?: 'start' | 'now' | undefined
  /** How long a handler may take for one event, 1 s to an hour; then its `signal` fires, and the event is retried. @default '60s' */
  readonly timeout?: Duration | undefined
}
