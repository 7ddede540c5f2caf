import type { Entry } from '../cache/entry.js'
import type { ExplainedResource, ExplainedScope, ExplainStep } from '../model/explanation.js'
import type { Context } from './context.js'
import { type AskedAbout, decided, type Moment, type OwnerFound, unknown } from './explain-step.js'
import type { TokenPrincipal } from './principal.js'
import { principalOf } from './principal-of.js'
import { heldScope, isKnown, limitsOf, reaches, resourceValues } from './route-check.js'

const MAX_GIVERS = 20

/** Returns the steps that `requireScopes` takes, decided by the functions that it calls. Empty if the input names no scope. */
export function explainRoute(context: Context, moment: Moment, entry: Entry, owner: OwnerFound, asked: AskedAbout): readonly ExplainStep[] {
  if (asked.scopes === undefined) return []
  const assumed = moment.past ? { assumes: 'present_options' as const } : {}
  if (!moment.known) return [unknown('scopes', 'events_incomplete'), unknown('resources', 'events_incomplete')]
  const ownerUnknown = 'unknown' in owner || owner.owned === null
  const owned = ownerUnknown ? undefined : owner.owned
  // If the owner's permissions are unknown, this is the most that the token can have.
  const most = principalOf(context, entry, owned)
  if (ownerUnknown && entry.parts.inherit) return [unknown('scopes', 'owner_unknown'), unknown('resources', 'owner_unknown')]
  const exists = (scope: string): boolean => isKnown(context.settings.scopes, scope)
  const held = heldScope(most, { scopes: asked.scopes, any: false }, exists)
  const scopes = asked.scopes.map((scope): ExplainedScope => {
    const mayHold = heldScope(most, { scopes: [scope], any: false }, exists) !== undefined
    const grants = context.settings.catalogue.givers(scope, moment.record.scopes)
    const inherits = entry.parts.inherit
    return {
      scope,
      exists: exists(scope),
      ...(!(mayHold && ownerUnknown) && { held: mayHold }),
      grants,
      ...(owned !== undefined && { owner: owned.scopes.has(scope) }),
      ...(grants.length === 0 && !inherits && { givenBy: context.settings.catalogue.givers(scope).slice(0, MAX_GIVERS) }),
    }
  })
  if (held !== undefined && ownerUnknown) {
    return [unknown('scopes', 'owner_unknown', { scopes, ...assumed }), resourceStep(context, most, held, asked, true, assumed)]
  }
  const step = decided('scopes', held !== undefined, 'scope_insufficient', { scopes, ...assumed })
  // Without the scope, the resources are not checked.
  return held === undefined ? [step] : [step, resourceStep(context, most, held, asked, false, assumed)]
}

function resourceStep(
  context: Context,
  principal: TokenPrincipal,
  held: string,
  asked: AskedAbout,
  ownerUnknown: boolean,
  assumed: Pick<ExplainStep, 'assumes'>,
): ExplainStep {
  const named = Object.keys(asked.resources ?? {})
  const unnamed = limitsOf(context.settings.resources, principal).filter((dimension) => !named.includes(dimension))
  const resources: ExplainedResource[] = unnamed.map((dimension) => ({ dimension, asked: [], missing: [] }))
  let ok = unnamed.length === 0
  for (const [dimension, list] of Object.entries(asked.resources ?? {})) {
    const values = resourceValues(list)
    const allowed = values !== undefined && reaches(principal, held, dimension, values)
    const missing = list.filter((value) => !reaches(principal, held, dimension, [value]))
    ok &&= allowed
    resources.push({ dimension, asked: list, ...(!(ownerUnknown && allowed) && { missing }) })
  }
  const facts = { ...(resources.length > 0 && { resources }), ...assumed }
  return ok && ownerUnknown ? unknown('resources', 'owner_unknown', facts) : decided('resources', ok, 'resource_denied', facts)
}
