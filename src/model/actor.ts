import type { Resources } from './json.js'

/** Who is asking. Also what the `actor` callback of `management` answers. */
export type Actor = {
  /** Kept as `createdBy`, `revokedBy` and in the audit. Unique over all tenants: two people of one id share their idempotency keys. */
  readonly id: string
  /** The tenants it acts in, or `'*'` for all, which is also what it takes to touch tokens without a tenant. */
  readonly tenants: readonly string[] | '*'
  /** `own`: only the tokens that it created. `all`: every token of its tenants. */
  readonly manages: 'own' | 'all'
  /** Scopes that it may grant. Absent: everything in the catalogue. Empty: nothing. */
  readonly scopes?: readonly string[]
  /** Data that it may grant access to. Absent: everything. An absent dimension is unrestricted. */
  readonly resources?: Resources
  /** The address it acts from, for the audit. */
  readonly ip?: string
}
