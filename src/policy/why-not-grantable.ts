import type { Definitions } from './definitions.js'
import { quote } from './quote.js'
import { covers, isGrant, isGroupReference, isWildcard } from './scope.js'
import { closest } from './suggest.js'

/** Why a grant cannot be given to a token, as a message for people; `undefined` when it can. */
export function whyNotGrantable(definitions: Definitions, grant: unknown): string | undefined {
  if (typeof grant !== 'string') return `must be a scope, a wildcard or @group, not ${quote(grant)}`
  if (!isGrant(grant)) return `${quote(grant)} is not a valid scope, wildcard (inventory:*) or @group${suggestion(definitions, grant)}`
  if (grant === '*') return definitions.allowWildcard ? undefined : 'the bare "*" must be allowed in the options (allowWildcard)'
  if (isGroupReference(grant)) {
    return definitions.groups.has(grant.slice(1)) ? undefined : `there is no group ${quote(grant)}${suggestion(definitions, grant)}`
  }
  if (isWildcard(grant)) {
    return definitions.names.some((name) => covers(grant, name)) ? undefined : `${quote(grant)} matches no scope of the catalogue`
  }
  if (definitions.known.has(grant)) return undefined
  if (definitions.groups.has(grant)) return `${quote(grant)} is a group: write ${quote(`@${grant}`)}`
  return `${quote(grant)} is not in the catalogue${suggestion(definitions, grant)}`
}

function suggestion(definitions: Definitions, grant: string): string {
  const groups = [...definitions.groups.keys()].map((name) => `@${name}`)
  const meant = closest(grant, grant.startsWith('@') ? groups : definitions.names)
  return meant === undefined ? '' : `; did you mean ${quote(meant)}?`
}
