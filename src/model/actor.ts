import type { Resources } from './json.js'

/** The person or service that makes a call. The `actor` callback of `management` returns one. */
export type Actor = {
  /** Recorded in `createdBy`, `revokedBy` and the audit log. Must be unique across all tenants: two people with the same ID share their idempotency keys. */
  readonly id: string
  /** The tenants that it acts in, or `'*'` for all. Tokens without a tenant require `'*'`. */
  readonly tenants: readonly string[] | '*'
  /** `own`: only the tokens that it created. `all`: every token of its tenants. */
  readonly manages: 'own' | 'all'
  /** Scopes that it may grant. Absent: everything in the catalogue. Empty: nothing. */
  readonly scopes?: readonly string[]
  /** Data that it may grant access to. Absent: everything. An absent dimension is unrestricted. */
  readonly resources?: Resources
  /** The client's address, for the audit log. */
  readonly ip?: string
}
