import type { Code } from '../errors.js'
import type { Resources } from './json.js'
import type { RateState } from './principal.js'
import type { RevokedCode } from './record.js'

/** The steps of the decision about a known token, in their order. The last two are those of the route, told where they were asked about. */
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
 * Why a step cannot be told: the question lacks what it depends on; nobody records it; the events that would tell were removed or do not fit the
 * record; a limiter cannot be read without counting a use; or it depends on what the step `owner` leaves open.
 */
export const EXPLAIN_UNKNOWNS = ['not_given', 'not_recorded', 'events_incomplete', 'not_counted', 'owner_unknown'] as const

/** Why a step of an explanation cannot be told. */
export type ExplainUnknown = (typeof EXPLAIN_UNKNOWNS)[number]

/** How a scope stands to a token. */
export type ExplainedScope = {
  readonly scope: string
  /** Is it in the catalogue? */
  readonly exists: boolean
  /** Does the token hold it? Absent: cannot be known. */
  readonly held?: boolean
  /** Those among the token's grants that give it: the scope, a wildcard, a group, or a scope that implies it. */
  readonly grants: readonly string[]
  /** Does the owner hold it now? Absent: there is no owner that limits the token, or its permissions are not known. */
  readonly owner?: boolean
  /** Where none of the token's grants does: up to 20 that would give it. */
  readonly givenBy?: readonly string[]
}

/** How the values of a dimension stand to a token. */
export type ExplainedResource = {
  readonly dimension: string
  /** The values that were asked about; empty where the token is limited in a dimension that was not named. */
  readonly asked: readonly string[]
  /** Those among them that the token does not reach. Absent: cannot be known. */
  readonly missing?: readonly string[]
}

/** One step, with the facts that decided it. */
export type ExplainStep = {
  readonly step: (typeof EXPLAIN_STEPS)[number]
  /** Does the step let the token pass? Absent: cannot be known, and `unknown` says why. */
  readonly ok?: boolean
  /** Where `ok` is false: how a request is refused that fails here. */
  readonly code?: Code
  readonly unknown?: ExplainUnknown
  /** The step was answered by the options of today, which may have been others then. */
  readonly assumes?: 'present_options'
  readonly createdAt?: Date
  /** The format that the token was imported in; where it is not among those accepted then, no credential is recognized as this token. */
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
  /** The address that was asked about. */
  readonly ip?: string
  readonly allowedIps?: readonly string[]
  /** The first of the allowed addresses and ranges that lets it in. */
  readonly allowedBy?: string
  readonly ownerId?: string
  /** The names of the rate limits that count the token's uses. */
  readonly limits?: readonly string[]
  /** Where those of them stand now that can be read without counting a use. */
  readonly rates?: readonly RateState[]
  readonly scopes?: readonly ExplainedScope[]
  readonly resources?: readonly ExplainedResource[]
}

/** Refusals of the token that the audit tells of, coalesced: up to `count` of them within the minute before `at`. */
export type RecordedRefusal = { readonly at: Date; readonly code?: Code; readonly count?: number; readonly ip?: string }

/** Why a token would be, or was, let in or refused. */
export type Explanation = {
  readonly tokenId: string
  /** The instant that is explained. */
  readonly at: Date
  /** Would a request with this token be let in? True only if every step is known to pass; absent where that cannot be known. */
  readonly ok?: boolean
  /** How it would be refused. Absent where it would not be, and where an earlier step that is not known may refuse it otherwise. */
  readonly code?: Code
  readonly steps: readonly ExplainStep[]
  /** With `at`: the refusals that the audit tells of, within two minutes of it. */
  readonly refusals?: readonly RecordedRefusal[]
}

/** Input of `explain`. */
export type ExplainInput = {
  /** When: an instant that is not in the future. @default now */
  readonly at?: Date | number | string | undefined
  /** The scope or scopes that the route requires. */
  readonly scope?: string | readonly string[] | undefined
  /** The data that the route names, by dimension, as `requireScopes` takes it. Needs `scope`. */
  readonly resources?: Resources | { readonly [dimension: string]: string } | undefined
  /** The address that the request came from. */
  readonly ip?: string | undefined
}
