import type { Decider } from '../instance.js'
import { aboutCopies, noteCopy } from '../model/copies.js'
import type { MaybePromise } from '../model/json.js'
import { callOut, isThenable } from '../store/deadline.js'
import { heldScope, isKnown, reaches, resourceValues } from '../verify/route-check.js'
import { type Admission, admissionOf, type Guard } from './admission.js'
import { warn } from './diagnostics.js'
import { CALLBACK_DEADLINE_MS } from './options.js'
import type { PlainResponse } from './problem.js'
import { createRefusals } from './refuse.js'
import { type Requirement, type ResourceSource, readRequirement } from './requirement.js'
import { tellRoute } from './tell-route.js'

/** Checks an admitted request: `undefined` when it may go on, else the answer that refuses it. Never throws, never rejects. */
export type ScopeCheck<R> = (request: R) => MaybePromise<PlainResponse | undefined>

const refuseUnguarded = createRefusals<unknown>()

/**
 * Makes the check behind `requireScopes`.
 *
 * It trusts only what a guard of this library remembered of the request, never a property that somebody set on it.
 *
 * `routeOf` names the route of a request, for warnings; empty where it is not known.
 *
 * @throws InvalidInputError `invalid_input` when the arguments are unsound.
 */
export function createScopeCheck<R extends object>(args: readonly unknown[], routeOf?: (request: R) => string): ScopeCheck<R> {
  const requirement = readRequirement<R>(args)
  noteCopy()
  return (request) => {
    const admission = admissionOf(request)
    if (admission === undefined) {
      warnUnguarded(requirement, () => routeOf?.(request))
      return refuseUnguarded('misconfigured', request)
    }
    const unavailable = (error: unknown): PlainResponse => {
      admission.guard.decider.report('resources', error)
      return admission.guard.refuse('store_unavailable', request)
    }
    try {
      const answer = check(requirement, admission, request)
      return isThenable(answer) ? Promise.resolve(answer).catch(unavailable) : answer
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

// A framework that is not as it was expected costs the warning a name, and nothing else.
function orNothing(find: () => string | undefined): string | undefined {
  try {
    return find()
  } catch {
    return undefined
  }
}

function check<R>(requirement: Requirement<R>, admission: Admission, request: R): MaybePromise<PlainResponse | undefined> {
  const { guard, principal } = admission
  if (principal === undefined) return guard.refuse('credential_missing', request)
  const held = heldScope(principal, requirement, (scope) => {
    const known = isKnown(guard.decider.catalogue, scope)
    if (!known) warn('LATCHKEY_W004', guard.onWarning, `${scope}${meant(guard, scope)}`, scope)
    return known
  })
  admission.use?.required(requirement.any && held !== undefined ? held : requirement.name)
  if (held === undefined) return refusal('scope_insufficient', requirement, admission, request)
  const named = requirement.resources.map(([dimension]) => dimension)
  if (!admission.limitedIn.every((dimension) => named.includes(dimension)))
    return refusal('resource_denied', requirement, admission, request)
  if (requirement.resources.length === 0) return undefined
  // What the host looks up to answer 403 once more is not looked up.
  if (admission.use?.refusalsSpent() !== undefined) return refusal('resource_denied', requirement, admission, request)
  const found = requirement.resources.map(([dimension, source]) => [dimension, find(source, dimension, request, guard.decider)] as const)
  const values = found.map(([, value]) => value)
  const finish = (settled: readonly unknown[]): PlainResponse | undefined => {
    const asked = found.map(([dimension], index) => [dimension, resourceValues(settled[index])] as const)
    const allowed = asked.every(([dimension, list]) => list !== undefined && reaches(principal, held, dimension, list))
    return allowed ? undefined : refusal('resource_denied', requirement, admission, request)
  }
  return values.some(isThenable) ? Promise.all(values).then(finish) : finish(values)
}

function meant({ decider }: Guard, scope: string): string {
  const name = decider.suggest?.(scope)
  return name === undefined ? '' : `; did you mean ${name}?`
}

// What is thrown becomes a rejection, so that another dimension's promise is never left without a listener.
function find<R>(source: ResourceSource<R>, dimension: string, request: R, decider: Decider): unknown {
  if (typeof source !== 'function') return source
  try {
    const what = `the resource function for ${dimension}`
    const { report, deadlineMs = CALLBACK_DEADLINE_MS } = decider
    return callOut<unknown>({ what, where: 'resources', deadlineMs, report }, () => source(request))
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
  const spent = admission.use?.refusalsSpent()
  admission.use?.refused(spent === undefined ? code : 'rate_limited')
  if (spent !== undefined) {
    return admission.guard.refuse('rate_limited', request, { retryAfterSeconds: spent.resetSeconds, rates: [spent] })
  }
  return admission.guard.refuse(code, request, { scopes: requirement.scopes })
}
