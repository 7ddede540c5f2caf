import { aboutCopies, noteCopy } from '../model/copies.js'
import type { MaybePromise } from '../model/json.js'
import type { Principal } from '../model/principal.js'
import { callOut, isThenable } from '../store/deadline.js'
import { heldScope, reaches, resourceValues } from '../verify/route-check.js'
import { type Admission, admissionOf } from './admission.js'
import { CALLBACK_DEADLINE_MS, systemMonotonic } from './options.js'
import type { PlainResponse } from './problem.js'
import { createRefusals } from './refuse.js'
import { type Requirement, type ResourceSource, readRequirement, type ScopeCall } from './requirement.js'
import { tellRoute } from './tell-route.js'
import { refuseUse, undoUse } from './use.js'

/**
 * Checks an admitted request. Returns `undefined` if it may continue, otherwise the refusal. Never throws and never rejects. `rawHeaders`: its list of header
 * fields, if the adapter has already read it.
 */
export type ScopeCheck<R> = (request: R, rawHeaders?: readonly string[]) => MaybePromise<PlainResponse | undefined>

type RouteOf<R> = (request: R) => string

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
export function createScopeCheck<R extends object>(args: readonly unknown[], routeOf?: RouteOf<R>, call?: ScopeCall): ScopeCheck<R> {
  const requirement = readRequirement<R>(args, call)
  noteCopy()
  // Functions of this file without I/O create no closures: an engine would allocate the variables of a closure for every request.
  return (request, rawHeaders) => {
    const admission = admissionOf(request, rawHeaders)
    if (admission === undefined) {
      warnUnguarded(requirement, request, routeOf)
      return refuseUnguarded('misconfigured', request)
    }
    try {
      const answer = check(requirement, admission, request, routeOf)
      return isThenable(answer) ? checkedLate(answer, admission, request) : answer
    } catch (error) {
      return unavailable(admission, request, error)
    }
  }
}

function checkedLate<R extends object>(
  answer: PromiseLike<PlainResponse | undefined>,
  admission: Admission,
  request: R,
): Promise<PlainResponse | undefined> {
  const checked = Promise.resolve(answer).catch((error: unknown) => unavailable(admission, request, error))
  return admission.use?.during(checked) ?? checked
}

function unavailable({ guard, use }: Admission, request: object, error: unknown): PlainResponse {
  guard.decider.report('resources', error, () => guard.secretsOf(request))
  undoUse(use, 'lookup_failed')
  return guard.refuse('store_unavailable', request)
}

function warnUnguarded<R>(requirement: { readonly name: string }, request: R, routeOf: RouteOf<R> | undefined): void {
  const about = aboutCopies()
  const unnamed = `a route that requires ${requirement.name}`
  const route = nameOf(request, routeOf) || unnamed
  tellRoute(requirement, about === undefined ? 'LATCHKEY_W002' : 'LATCHKEY_W007', undefined, { route, about })
}

// If a framework behaves unexpectedly, the warning omits the route's name.
function nameOf<R>(request: R, routeOf: RouteOf<R> | undefined): string | undefined {
  try {
    return routeOf?.(request)
  } catch {
    return undefined
  }
}

function mistakeIn(value: unknown): string | undefined {
  if (typeof value === 'string') return undefined
  if (Array.isArray(value)) return value.some(isThenable) ? 'a list that contains a promise; await it first' : undefined
  const kind = value === undefined || value === null ? String(value) : `a value of type ${typeof value}`
  return `${kind}; check the names of the route's parameters`
}

/**
 * Warns about a function that reads a misnamed parameter, or returns a number or a list of promises. Strings and other lists cause no warning, because they
 * may be empty depending on the request.
 */
function warnNoValue<R>(
  requirement: Requirement<R>,
  { guard }: Admission,
  dimension: string,
  value: unknown,
  request: R,
  routeOf: RouteOf<R> | undefined,
): void {
  const mistake = mistakeIn(value)
  if (mistake === undefined) return
  const about = `the function for ${dimension} returned ${mistake}`
  const route = nameOf(request, routeOf) || `a route that requires ${requirement.name}`
  tellRoute(requirement.resources, 'LATCHKEY_W016', guard.onWarning, { route, about })
}

function check<R>(
  requirement: Requirement<R>,
  admission: Admission,
  request: R,
  routeOf: RouteOf<R> | undefined,
): MaybePromise<PlainResponse | undefined> {
  const { guard, principal } = admission
  if (principal === undefined) return guard.refuse('credential_missing', request)
  const held = heldScope(principal, requirement, guard.knows)
  admission.use?.required(requirement.any && held !== undefined ? held : requirement.name)
  if (held === undefined) return refusal('scope_insufficient', requirement, admission, request)
  const { limitedIn } = admission
  if (limitedIn.length > 0 && !namesAll(requirement, limitedIn)) return refusal('resource_denied', requirement, admission, request)
  return requirement.resources.length === 0 ? undefined : checkResources(requirement, admission, principal, held, request, routeOf)
}

function namesAll({ resources }: { readonly resources: readonly (readonly [string, unknown])[] }, dimensions: readonly string[]): boolean {
  return dimensions.every((dimension) => resources.some(([named]) => named === dimension))
}

function checkResources<R>(
  requirement: Requirement<R>,
  admission: Admission,
  principal: Principal,
  held: string,
  request: R,
  routeOf: RouteOf<R> | undefined,
): MaybePromise<PlainResponse | undefined> {
  // When the token has no refusals left, skip the host's lookups, whose result would be another 403.
  if (requirement.looksUp && admission.use?.refusalsSpent() !== undefined)
    return refusal('resource_denied', requirement, admission, request)
  const found = requirement.resources.map(([dimension, source]) => [dimension, find(source, dimension, request, admission)] as const)
  const values = found.map(([, value]) => value)
  const finish = (settled: readonly unknown[]): PlainResponse | undefined => {
    const asked = found.map(([dimension], index) => [dimension, resourceValues(settled[index])] as const)
    for (const [index, [dimension, list]] of asked.entries()) {
      if (list === undefined) warnNoValue(requirement, admission, dimension, settled[index], request, routeOf)
    }
    const allowed = asked.every(([dimension, list]) => list !== undefined && reaches(principal, held, dimension, list))
    return allowed ? undefined : refusal('resource_denied', requirement, admission, request)
  }
  if (!values.some(isThenable)) return finish(values)
  const { monotonic = systemMonotonic } = admission.guard.decider
  const begunAt = monotonic()
  return Promise.all(values).then((settled) => {
    admission.spentMs += monotonic() - begunAt
    return finish(settled)
  })
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
