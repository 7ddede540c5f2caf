import type { Code } from '../errors.js'
import type { Resources } from './json.js'
import type { RateState } from './principal.js'
import type { RevokedCode } from './record.js'

/** The steps of the decision about a known token, in order. The last two belong to the route, and are included only if requested. */
export const EXPLAIN_STEPS = [
  'record',
  'revoked',
  'inactive',
  'not_before',
  'expired',
  'address',
  'owner',
  'rate',
  'scopes',
  'resources',
] as const

/**
 * Why the outcome of a step is unknown: the input lacks a value that decides it; the value is not recorded; the events are incomplete or contradict the
 * record; a limiter cannot be read without counting a use; or the owner's permissions decide it and are unknown.
 */
export const EXPLAIN_UNKNOWNS = ['not_given', 'not_recorded', 'events_incomplete', 'not_counted', 'owner_unknown'] as const

/** Why the outcome of a step is unknown. */
export type ExplainUnknown = (typeof EXPLAIN_UNKNOWNS)[number]

/** Whether a token has a scope, and why. */
export type ExplainedScope = {
  readonly scope: string
  /** Whether it is in the catalogue. */
  readonly exists: boolean
  /** Whether the token has it. Absent if unknown. */
  readonly held?: boolean
  /** The token's grants that include it: the scope, a wildcard, a group, or a scope that implies it. */
  readonly grants: readonly string[]
  /** Whether the owner has it now. Absent if no owner limits the token, or if the owner's permissions are unknown. */
  readonly owner?: boolean
  /** If none of the token's grants includes it: up to 20 grants that would. */
  readonly givenBy?: readonly string[]
}

/** Whether a token may access the values of a dimension. */
export type ExplainedResource = {
  readonly dimension: string
  /** The requested values; empty if the token is limited in a dimension that was not named. */
  readonly asked: readonly string[]
  /** Those that the token cannot access. Absent if unknown. */
  readonly missing?: readonly string[]
}

/** One step, with the facts that decided it. */
export type ExplainStep = {
  readonly step: (typeof EXPLAIN_STEPS)[number]
  /** Whether the token passes the step. Absent if unknown; `unknown` says why. */
  readonly ok?: boolean
  /** If `ok` is false: how a request that fails at this step is refused. */
  readonly code?: Code
  readonly unknown?: ExplainUnknown
  /** The step used the current options, which may have been different at that time. */
  readonly assumes?: 'present_options'
  readonly createdAt?: Date
  /** The format that the token was imported in. If it was not accepted at that time, no credential is recognized as this token. */
  readonly importedFrom?: string
  readonly revokedAt?: Date
  readonly revokedBy?: string
  readonly revokedCode?: RevokedCode
  readonly revokedReason?: string
  readonly replacedById?: string
  readonly deactivatedAt?: Date
  readonly deactivatedBy?: string
  readonly notBefore?: Date
  readonly expiresAt?: Date
  /** The address of the request. */
  readonly ip?: string
  readonly allowedIps?: readonly string[]
  /** The first allowed address or range that matches. */
  readonly allowedBy?: string
  readonly ownerId?: string
  /** The names of the rate limits that count the token's uses. */
  readonly limits?: readonly string[]
  /** The current state of those that can be read without counting a use. */
  readonly rates?: readonly RateState[]
  readonly scopes?: readonly ExplainedScope[]
  readonly resources?: readonly ExplainedResource[]
}

/** Coalesced refusals of the token in the audit log: up to `count` of them within the minute before `at`. */
export type RecordedRefusal = { readonly at: Date; readonly code?: Code; readonly count?: number; readonly ip?: string }

/** Why a token is or was accepted or refused. */
export type Explanation = {
  readonly tokenId: string
  /** The time to which the explanation applies. */
  readonly at: Date
  /** Whether a request with this token is accepted. True only if every step is known to pass; absent if unknown. */
  readonly ok?: boolean
  /** How it would be refused. Absent if it would not be, or if an earlier step with an unknown outcome may refuse it in a different way. */
  readonly code?: Code
  readonly steps: readonly ExplainStep[]
  /** With `at`: the refusals in the audit log within two minutes of that time. */
  readonly refusals?: readonly RecordedRefusal[]
}

/** Input of `explain`. */
export type ExplainInput = {
  /** The time to explain, not in the future. @default now */
  readonly at?: Date | number | string | undefined
  /** The scope or scopes that the route requires. */
  readonly scope?: string | readonly string[] | undefined
  /** The data that the route names, by dimension, as for `requireScopes`. Requires `scope`. */
  readonly resources?: Resources | { readonly [dimension: string]: string } | undefined
  /** The address that the request came from. */
  readonly ip?: string | undefined
}
