/** The outcome of a use that was admitted. `undecided`: it ended without a decision, and counts neither as allowed nor as refused. */
export type UseOutcome = 'allowed' | 'scope_insufficient' | 'resource_denied' | 'rate_limited' | 'undecided' | 'lookup_failed'

/** One use that `decide` allowed. Callers set every field, because other code may have put an omitted one on `Object.prototype`. */
export type CountedUse = {
  readonly endpoint?: string
  /** The scopes that the route required, separated by spaces. */
  readonly scope?: string
  readonly ip?: string | undefined
  /** Names a refusal that followed. @default 'allowed' */
  readonly outcome?: UseOutcome
  /** Whether the use was counted before it was refused. The refusal then leaves a trace, but does not count again. */
  readonly isCounted?: boolean
}
