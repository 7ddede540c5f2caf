import type { Decider } from '../instance.js'
import type { MaybePromise } from '../model/json.js'
import type { Principal } from '../model/principal.js'
import { namedBy } from '../verify/principal.js'
import { type Admission, admissionOf, type Guard, type GuardOutcome, withdraw } from './admission.js'
import { warn } from './diagnostics.js'
import { isSameInstance } from './under-way.js'
import { startUse, type Use, undoUse } from './use.js'

/**
 * Returns the use of a request that a guard admits. A second guard of the same instance does not count the use again. Two guards are a mistake, unless an
 * optional guard precedes a strict one.
 */
export function useOf(guard: Guard, before: Admission | undefined, principal: Principal, ip: string | undefined): Use {
  if (before?.use !== undefined && isContinued(before, guard.decider)) {
    if (before.guard === guard || !before.guard.optional) warn('LATCHKEY_W001', guard.onWarning)
    // A signed token names the token that it was exchanged for, but only uses of the token itself are counted.
    const { tokenId, kind } = namedBy(before.use.principal)
    if (tokenId === principal.tokenId && (kind === 'token' || kind === principal.kind)) return before.use
  }
  return startUse(guard.decider, principal, ip)
}

/** Returns whether a later guard of the same instance continues a use. A use that was refused is over: it counts as refused, and against no limit. */
export function isContinued({ guard, use }: Admission, decider: Decider): boolean {
  return isSameInstance(guard.decider, decider) && use?.isRefused !== true
}

/**
 * Ends the admission of an earlier guard of the request if this decision refuses the request. Its use is undone once no
 * decision continues it and none that is still in progress could. Until then, the use stands, because a decision that continues it takes no points itself.
 */
export function settleEarlier(
  request: object,
  before: Admission,
  outcome: MaybePromise<GuardOutcome>,
  rawHeaders: readonly string[] | undefined,
): MaybePromise<GuardOutcome> {
  const { use } = before
  if (!(outcome instanceof Promise)) return settled(request, before, outcome, rawHeaders)
  if (use === undefined) return outcome.then((late) => settled(request, before, late, rawHeaders))
  use.laterDecisions += 1
  return use.during(
    outcome.then((late) => {
      use.laterDecisions -= 1
      return settled(request, before, late, rawHeaders)
    }),
  )
}

function settled(request: object, before: Admission, outcome: GuardOutcome, rawHeaders: readonly string[] | undefined): GuardOutcome {
  const { use } = before
  const isRefused = outcome.response !== undefined
  if (isRefused && admissionOf(request, rawHeaders) === before) withdraw(request, rawHeaders)
  if (use === undefined) return outcome
  if (isRefused) use.isRefusedLater = true
  if (use.isRefusedLater && use.laterDecisions === 0 && admissionOf(request, rawHeaders)?.use !== use) undoUse(use)
  return outcome
}
