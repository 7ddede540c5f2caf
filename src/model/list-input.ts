import type { Duration, Page, TokenStatus } from './record.js'

/** Filters of `list`. */
export type ListInput = {
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly createdBy?: string | undefined
  readonly status?: TokenStatus | readonly TokenStatus[] | undefined
  /** A substring of the name, matched literally; ASCII letters match in either case. */
  readonly name?: string | undefined
  /** The first characters of the ID. The start of a token's text, as people see it (`acme_live_4kQ0…`), is accepted too. */
  readonly id?: string | undefined
  /** Only these tokens, 1 to 100. Tokens that the actor cannot see are omitted. */
  readonly ids?: readonly string[] | undefined
  readonly rotationDue?: boolean | undefined
  readonly expiresWithin?: Duration | undefined
  readonly neverExpires?: boolean | undefined
  readonly unusedFor?: Duration | undefined
  readonly neverUsed?: boolean | undefined
  /** Tokens that were imported, and are presented in the format of the system that issued them. */
  readonly imported?: boolean | undefined
  /** Tokens without a successor. After a rotation, the old token ends on its own. */
  readonly notReplaced?: boolean | undefined
  /** 1 to 1000. @default 50 */
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** Filters of `tenants`. */
export type TenantsInput = {
  /** A substring of the ID, in either case. */
  readonly search?: string | undefined
  /** 1 to 1000. @default 50 */
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** Filters of `owners`. */
export type OwnersInput = TenantsInput & {
  /** Only owners of tokens of this tenant. */
  readonly tenantId?: string | undefined
}

/** Lists the tenants and owners of the tokens that an actor can see. A page may be short or empty even if more follow; only `nextCursor` shows that. */
export interface NameLists {
  /** Returns one page of the tenants that the actor acts in or, for an actor in all tenants, of the tenants that have tokens. */
  tenants(input?: TenantsInput): Promise<Page<string>>
  /** Returns one page of the owners of tokens that the actor can see. An owner with tokens in several tenants may appear again on a later page. */
  owners(input?: OwnersInput): Promise<Page<string>>
}
