/** The validated scope options. Maps and lists allow a scope to be named `constructor` or `__proto__`. */
export type Definitions = {
  /** In the order of the options. */
  readonly names: readonly string[]
  readonly known: ReadonlySet<string>
  /** Members by the name of the group, without `@`. */
  readonly groups: ReadonlyMap<string, readonly string[]>
  readonly implies: ReadonlyMap<string, readonly string[]>
  readonly allowWildcard: boolean
}
