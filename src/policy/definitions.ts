/** What the options say about scopes, checked. Maps and lists, so that a scope may be called `constructor` or `__proto__`. */
export type Definitions = {
  /** In the order of the options. */
  readonly names: readonly string[]
  readonly known: ReadonlySet<string>
  /** Members by the name of the group, without `@`. */
  readonly groups: ReadonlyMap<string, readonly string[]>
  readonly implies: ReadonlyMap<string, readonly string[]>
  readonly allowWildcard: boolean
}
