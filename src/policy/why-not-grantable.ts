import { warnOnConsole } from '../model/console-warning.js'
import type { Definitions } from './definitions.js'
import { quote } from './quote.js'
import { covers, isGrant, isGroupReference, isScopeName, isWildcard } from './scope.js'
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
    const covering = definitions.names.some((name) => covers(grant, name))
    return covering ? undefined : `${quote(grant)} matches no scope of the catalogue${suggestion(definitions, grant)}`
  }
  if (definitions.known.has(grant)) return undefined
  if (definitions.groups.has(grant)) return `${quote(grant)} is a group: write ${quote(`@${grant}`)}`
  return `${quote(grant)} is not in the catalogue${suggestion(definitions, grant)}`
}

function suggestion(definitions: Definitions, grant: string): string {
  const meant = closest(
    grant,
    grant.startsWith('@') ? groupsOf(definitions) : grant.endsWith('*') ? wildcardsOf(definitions) : definitions.names,
  )
  return meant === undefined ? '' : `; did you mean ${quote(meant)}?`
}

function groupsOf({ groups }: Definitions): readonly string[] {
  return [...groups.keys()].map((name) => `@${name}`)
}

function wildcardsOf({ names }: Definitions): readonly string[] {
  return [...new Set(names.map((name) => name.replace(/[^:]+$/, '*')))]
}

/** Bounds what one instance can be told, whatever it asks for. */
const MAX_TOLD = 100

const told: WeakMap<Definitions, Set<string>> = new WeakMap()

/** Tells the developer, once for each name, that `principal.allows()` was asked for a scope that does not exist, and so answers `false` for everybody. */
export function tellOfAsked(definitions: Definitions, scope: string): void {
  if (definitions.known.has(scope) || typeof scope !== 'string') return
  if (!isScopeName(scope) && suggestion(definitions, scope) === '') return
  tell(definitions, 'principal.allows()', scope)
}

/** Tells the developer, once for each name, of scopes that the host gave and most likely misspelled. Others may be permissions of the host's own. */
export function tellOfSlips(definitions: Definitions, where: string, grants: readonly string[]): void {
  for (const grant of grants) {
    if (definitions.known.has(grant) || whyNotGrantable(definitions, grant) === undefined) continue
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
    `${where}: ${whyNotGrantable(definitions, scope) ?? 'names one scope, not a wildcard or a group'}`,
  )
}
