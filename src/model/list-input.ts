import type { Duration, TokenStatus } from './record.js'

/** Filters of `list`. */
export type ListInput = {
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly createdBy?: string | undefined
  readonly status?: TokenStatus | readonly TokenStatus[] | undefined
  /** Substring of the name, taken literally, ASCII letters in either case. */
  readonly name?: string | undefined
  /** The first characters of the id; the beginning of a token's text as people see it, `acme_live_4kQ0…`, is taken for its id. */
  readonly id?: string | undefined
  /** Only these tokens, 1 to 100; those that the actor may not see are left out. */
  readonly ids?: readonly string[] | undefined
  readonly rotationDue?: boolean | undefined
  readonly expiresWithin?: Duration | undefined
  readonly neverExpires?: boolean | undefined
  readonly unusedFor?: Duration | undefined
  readonly neverUsed?: boolean | undefined
  /** Tokens that were imported, and are presented in the shape of the system that made them. */
  readonly imported?: boolean | undefined
  /** 1 to 1000. @default 50 */
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}
