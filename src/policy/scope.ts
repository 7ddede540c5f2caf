/** The scope that a token needs to rotate itself. It must be in the catalogue to be granted. */
export const ROTATE_SELF = 'tokens:rotate-self'

/** The maximum length of scopes, wildcards, and group names. */
export const MAX_SCOPE_LENGTH = 128

const NAME = /^[a-z0-9_-]+(?::[a-z0-9_-]+)*$/

/** Returns whether this is the name of a scope: `segment(:segment)*`, segments of `[a-z0-9_-]`, at most 128 characters. */
export function isScopeName(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_SCOPE_LENGTH && NAME.test(text)
}

/** Returns whether this is a wildcard: `*`, or the name of a scope followed by `:*`. */
export function isWildcard(text: unknown): text is string {
  if (typeof text !== 'string' || text.length > MAX_SCOPE_LENGTH) return false
  return text === '*' || (text.endsWith(':*') && NAME.test(text.slice(0, -2)))
}

/** Returns whether this refers to a group: `@` and a name in the same form as that of a scope. */
export function isGroupReference(text: unknown): text is `@${string}` {
  return typeof text === 'string' && text.startsWith('@') && isScopeName(text.slice(1))
}

/** Returns whether this has the form of a grant: a scope name, a wildcard, `*` or `@group`. */
export function isGrant(text: unknown): text is string {
  return isScopeName(text) || isWildcard(text) || isGroupReference(text)
}

/**
 * Returns whether a grant covers a scope. Compares whole segments: `inventory:*` covers everything below `inventory`, at any depth, but not `inventory` itself.
 *
 * A group covers nothing here, because only the catalogue knows its members.
 */
export function covers(grant: string, scope: string): boolean {
  if (!isScopeName(scope)) return false
  if (!isWildcard(grant)) return grant === scope
  return grant === '*' || scope.startsWith(grant.slice(0, -1))
}

/** Returns whether a grant covers everything that another grant may ever include, even after the catalogue and groups grow. */
export function coversGrant(outer: string, inner: string): boolean {
  if (!isGrant(outer) || !isGrant(inner)) return false
  if (outer === '*' || outer === inner) return true
  // `*` and groups do not start with a segment, so only names and wildcards below this one match.
  return isWildcard(outer) && inner.startsWith(outer.slice(0, -1))
}
