import { warnOnConsole } from '../model/console-warning.js'
import type { Definitions } from './definitions.js'
import { quote } from './quote.js'
import { covers, isGrant, isGroupReference, isScopeName, isWildcard, MAX_SCOPE_LENGTH } from './scope.js'
import { closest } from './suggest.js'

/** Returns a message that says why a token cannot have a grant; `undefined` if it can. */
export function whyNotGrantable(definitions: Definitions, grant: unknown): string | undefined {
  if (typeof grant !== 'string') return `must be a scope, a wildcard or @group, not ${quote(grant)}`
  if (!isGrant(grant)) return `${quote(grant)} is not a valid scope, wildcard (inventory:*) or @group${suggestion(definitions, grant)}`
  if (grant === '*') return definitions.allowWildcard ? undefined : 'the scope "*" is allowed only with the allowWildcard option'
  if (isGroupReference(grant)) {
    return definitions.groups.has(grant.slice(1)) ? undefined : `the group ${quote(grant)} does not exist${suggestion(definitions, grant)}`
  }
  if (isWildcard(grant)) {
    const covering = definitions.names.some((name) => covers(grant, name))
    return covering ? undefined : `${quote(grant)} matches no scope in the catalogue${suggestion(definitions, grant)}`
  }
  if (definitions.known.has(grant)) return undefined
  if (definitions.groups.has(grant)) return `${quote(grant)} is a group: write ${JSON.stringify(`@${grant}`)}`
  return `${quote(grant)} is not in the catalogue${suggestion(definitions, grant) || wildcardOver(definitions, grant)}`
}

/** Suggests the wildcard for the first segments of scopes, as in `inventory` for `inventory:read`. */
function wildcardOver({ names }: Definitions, grant: string): string {
  const wildcard = `${grant}:*`
  return names.some((name) => covers(wildcard, name)) ? `; did you mean ${quote(wildcard)}?` : ''
}

function suggestion(definitions: Definitions, grant: string): string {
  const meant = closest(
    grant,
    grant.startsWith('@') ? groupsOf(definitions) : grant.endsWith('*') ? wildcardsOf(definitions) : definitions.names,
  )
  return meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`
}

function groupsOf({ groups }: Definitions): readonly string[] {
  return [...groups.keys()].map((name) => `@${name}`)
}

function wildcardsOf({ names }: Definitions): readonly string[] {
  return [...new Set(names.map((name) => name.replace(/[^:]+$/, '*')))]
}

/** Limits the number of warnings per instance. */
const MAX_TOLD = 100

const told: WeakMap<Definitions, Set<string>> = new WeakMap()

/** Warns the developer, once per name, that code calls `principal.allows()` with a scope that does not exist, which is always `false`. */
export function tellOfAsked(definitions: Definitions, scope: string): void {
  if (definitions.known.has(scope) || typeof scope !== 'string') return
  if (!isScopeName(scope) && suggestion(definitions, scope) === '') return
  tell(definitions, 'principal.allows()', scope)
}

/** How many names are remembered per instance and source. If the host passes more, for example names that contain IDs, the rest cause no warnings. */
const MAX_EXAMINED = 5000

/** Names from the host that were examined, by their source. The host passes the same names with every request, and finding suggestions is slow. */
const examined: WeakMap<Definitions, Map<string, Set<string>>> = new WeakMap()

function examinedFrom(definitions: Definitions, where: string): Set<string> {
  const all = examined.get(definitions) ?? new Map<string, Set<string>>()
  examined.set(definitions, all)
  const from = all.get(where) ?? new Set<string>()
  all.set(where, from)
  return from
}

/** Warns the developer, once per name, about scopes from the host that are probably misspelled. Other unknown names may be the host's own permissions. */
export function tellOfSlips(definitions: Definitions, where: string, grants: readonly string[]): void {
  let before: Set<string> | undefined
  for (const grant of grants) {
    // Nothing that long can be a misspelled name.
    if (definitions.known.has(grant) || grant.length > MAX_SCOPE_LENGTH) continue
    before ??= examinedFrom(definitions, where)
    if (before.has(grant) || before.size >= MAX_EXAMINED) continue
    before.add(grant)
    if (whyNotGrantable(definitions, grant) === undefined) continue
    if (definitions.groups.has(grant) || suggestion(definitions, grant) !== '') tell(definitions, where, grant)
  }
}

function tell(definitions: Definitions, where: string, scope: string): void {
  const seen = told.get(definitions) ?? new Set<string>()
  told.set(definitions, seen)
  const key = `${where} ${scope}`
  if (seen.has(key) || seen.size >= MAX_TOLD) return
  seen.add(key)
  warnOnConsole(
    'LATCHKEY_SCOPE_UNKNOWN',
    `${where}: ${whyNotGrantable(definitions, scope) ?? 'must name a scope, not a wildcard or a group'}`,
  )
}
