import { aboutCopies, noteCopy } from '../model/copies.js'
import type { MaybePromise } from '../model/json.js'
import { callOut, isThenable } from '../store/deadline.js'
import { heldScope, isKnown, reaches, resourceValues } from '../verify/route-check.js'
import { type Admission, admissionOf, type Guard, refuseUse, undoUse } from './admission.js'
import { warn } from './diagnostics.js'
import { CALLBACK_DEADLINE_MS, systemMonotonic } from './options.js'
import type { PlainResponse } from './problem.js'
import { createRefusals } from './refuse.js'
import { type Requirement, type ResourceSource, readRequirement, type ScopeCall } from './requirement.js'
import { tellRoute } from './tell-route.js'

/** Checks an admitted request. Returns `undefined` if it may continue, otherwise the refusal. Never throws and never rejects. */
export type ScopeCheck<R> = (request: R) => MaybePromise<PlainResponse | undefined>

const refuseUnguarded = createRefusals<unknown>()

/**
 * Creates the check behind `requireScopes`.
 *
 * Trusts only what a guard of this library stored for the request, never a property that other code set on it.
 *
 * `routeOf` names the route of a request for warnings. The name is empty if the route is unknown.
 *
 * @throws InvalidInputError `invalid_input` if the arguments are invalid
 */
export function createScopeCheck<R extends object>(
  args: readonly unknown[],
  routeOf?: (request: R) => string,
  call?: ScopeCall,
): ScopeCheck<R> {
  const requirement = readRequirement<R>(args, call)
  noteCopy()
  return (request) => {
    const admission = admissionOf(request)
    if (admission === undefined) {
      warnUnguarded(requirement, () => routeOf?.(request))
      return refuseUnguarded('misconfigured', request)
    }
    const unavailable = (error: unknown): PlainResponse => {
      const { guard } = admission
      guard.decider.report('resources', error, () => guard.secretsOf(request))
      undoUse(admission.use, 'lookup_failed')
      return guard.refuse('store_unavailable', request)
    }
    try {
      const answer = check(requirement, admission, request, routeOf)
      if (!isThenable(answer)) return answer
      const checked = Promise.resolve(answer).catch(unavailable)
      return admission.use?.during(checked) ?? checked
    } catch (error) {
      return unavailable(error)
    }
  }
}

function warnUnguarded(requirement: { readonly name: string }, routeOf: () => string | undefined): void {
  const about = aboutCopies()
  const unnamed = `a route that requires ${requirement.name}`
  const route = orNothing(routeOf) || unnamed
  tellRoute(requirement, about === undefined ? 'LATCHKEY_W002' : 'LATCHKEY_W007', undefined, { route, about })
}

// If a framework behaves unexpectedly, the warning omits the route's name.
function orNothing(find: () => string | undefined): string | undefined {
  try {
    return find()
  } catch {
    return undefined
  }
}

/**
 * Warns about a function that reads a misnamed parameter or returns a number. Strings and lists cause no warning, because they may be empty depending on
 * the request.
 */
function warnNoValue<R>(
  requirement: Requirement<R>,
  { guard }: Admission,
  dimension: string,
  value: unknown,
  routeOf: () => string | undefined,
): void {
  if (typeof value === 'string' || Array.isArray(value)) return
  const kind = value === undefined || value === null ? String(value) : `a value of type ${typeof value}`
  const about = `the function for ${dimension} returned ${kind}; check the names of the route's parameters`
  const route = orNothing(routeOf) || `a route that requires ${requirement.name}`
  tellRoute(requirement.resources, 'LATCHKEY_W016', guard.onWarning, { route, about })
}

function check<R>(
  requirement: Requirement<R>,
  admission: Admission,
  request: R,
  routeOf: ((request: R) => string) | undefined,
): MaybePromise<PlainResponse | undefined> {
  const { guard, principal } = admission
  if (principal === undefined) return guard.refuse('credential_missing', request)
  const held = heldScope(principal, requirement, (scope) => {
    const known = isKnown(guard.decider.catalogue, scope)
    if (!known) warn('LATCHKEY_W004', guard.onWarning, () => `${scope}${meant(guard, scope)}`, scope)
    return known
  })
  admission.use?.required(requirement.any && held !== undefined ? held : requirement.name)
  if (held === undefined) return refusal('scope_insufficient', requirement, admission, request)
  const { limitedIn } = admission
  if (limitedIn.length > 0 && !limitedIn.every((dimension) => requirement.resources.some(([named]) => named === dimension))) {
    return refusal('resource_denied', requirement, admission, request)
  }
  if (requirement.resources.length === 0) return undefined
  // When the token has no refusals left, skip the host's lookups, whose result would be another 403.
  if (requirement.looksUp && admission.use?.refusalsSpent() !== undefined)
    return refusal('resource_denied', requirement, admission, request)
  const found = requirement.resources.map(([dimension, source]) => [dimension, find(source, dimension, request, admission)] as const)
  const values = found.map(([, value]) => value)
  const finish = (settled: readonly unknown[]): PlainResponse | undefined => {
    const asked = found.map(([dimension], index) => [dimension, resourceValues(settled[index])] as const)
    for (const [index, [dimension, list]] of asked.entries()) {
      if (list === undefined) warnNoValue(requirement, admission, dimension, settled[index], () => routeOf?.(request))
    }
    const allowed = asked.every(([dimension, list]) => list !== undefined && reaches(principal, held, dimension, list))
    return allowed ? undefined : refusal('resource_denied', requirement, admission, request)
  }
  if (!values.some(isThenable)) return finish(values)
  const { monotonic = systemMonotonic } = guard.decider
  const begunAt = monotonic()
  return Promise.all(values).then((settled) => {
    admission.spentMs += monotonic() - begunAt
    return finish(settled)
  })
}

function meant({ decider }: Guard, scope: string): string {
  const name = decider.suggest?.(scope)
  return name === undefined ? '' : `; did you mean ${name}?`
}

// Turns an exception into a rejection, so another dimension's promise never goes unhandled.
function find<R>(source: ResourceSource<R>, dimension: string, request: R, { guard, spentMs }: Admission): unknown {
  if (typeof source !== 'function') return source
  try {
    const what = `the resource function for ${dimension}`
    const { report, deadlineMs = CALLBACK_DEADLINE_MS } = guard.decider
    const leftMs = spentMs === 0 ? undefined : deadlineMs - spentMs
    return callOut<unknown>({ what, where: 'resources', deadlineMs, leftMs, report, secrets: () => guard.secretsOf(request) }, () =>
      source(request),
    )
  } catch (error) {
    return Promise.reject(error)
  }
}

function refusal<R>(
  code: 'scope_insufficient' | 'resource_denied',
  requirement: Requirement<R>,
  admission: Admission,
  request: R,
): PlainResponse {
  const spent = refuseUse(admission.use, code)
  if (spent !== undefined) {
    return admission.guard.refuse('rate_limited', request, { retryAfterSeconds: spent.resetSeconds, rates: [spent] })
  }
  return admission.guard.refuse(code, request, { scopes: requirement.scopes })
}
