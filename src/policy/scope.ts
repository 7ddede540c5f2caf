/** Scopes, wildcards and group names are at most this long. */
export const MAX_SCOPE_LENGTH = 128

const NAME = /^[a-z0-9_-]+(?::[a-z0-9_-]+)*$/

/** Is this the name of a scope: `segment(:segment)*`, segments of `[a-z0-9_-]`, at most 128 characters? */
export function isScopeName(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_SCOPE_LENGTH && NAME.test(text)
}

/** Is this the bare `*`, or a wildcard: a scope's name, then `:*`? */
export function isWildcard(text: unknown): text is string {
  if (typeof text !== 'string' || text.length > MAX_SCOPE_LENGTH) return false
  return text === '*' || (text.endsWith(':*') && NAME.test(text.slice(0, -2)))
}

/** Is this the reference to a group, `@` and a name of the same form as a scope's? */
export function isGroupReference(text: unknown): text is `@${string}` {
  return typeof text === 'string' && text.startsWith('@') && isScopeName(text.slice(1))
}

/** Has this the form of something that can stand among a token's scopes: a name, a wildcard, `*` or `@group`? */
export function isGrant(text: unknown): text is string {
  return isScopeName(text) || isWildcard(text) || isGroupReference(text)
}

/**
 * Does a grant cover a scope? By whole segments: `inventory:*` covers what is below `inventory`, at any depth, and not `inventory` itself.
 *
 * Groups cover nothing by themselves: what is in them is for the catalogue to say.
 */
export function covers(grant: string, scope: string): boolean {
  if (!isScopeName(scope)) return false
  if (!isWildcard(grant)) return grant === scope
  return grant === '*' || scope.startsWith(grant.slice(0, -1))
}

/** Does a grant cover all that another one can ever mean, also with a catalogue and groups that grow later? */
export function coversGrant(outer: string, inner: string): boolean {
  if (!isGrant(outer) || !isGrant(inner)) return false
  if (outer === '*' || outer === inner) return true
  // Neither `*` nor a group begins with a segment, so only names and wildcards below this one do.
  return isWildcard(outer) && inner.startsWith(outer.slice(0, -1))
}
