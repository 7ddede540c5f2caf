import { detachSignal } from '../cache/signals.js'
import type { Decider, UseOutcome } from '../instance.js'
import type { Principal, RateState } from '../model/principal.js'
import type { OnWarning } from './diagnostics.js'
import type { Refuse } from './refuse.js'

/** One `authenticate(tokens, options)`: it decides, and adapters translate. */
export type Guard = {
  readonly decider: Decider
  readonly optional: boolean
  /** The field that answers depend on and that shared caches do not know: set where the token stands in a header of its own. */
  readonly vary: string | undefined
  readonly onWarning: OnWarning | undefined
  readonly refuse: Refuse<unknown>
}

/** One admitted use of a token, counted once when its response is over. */
export type Use = {
  readonly tokenId: string | undefined
  /** Names scopes that a check asked for, in order with a space between them. */
  required(scope: string): void
  /** Where this token has no refusals left. */
  refusalsSpent(): RateState | undefined
  /** Names the refusal that followed the admission. */
  refused(code: Exclude<UseOutcome, 'allowed'>): void
  /** Counts, the first time only. `endpoint` is the route's pattern with its method, or empty where unknown. */
  done(endpoint: string): void
  /** The same once the response is over, sent or given up: what the principal of this request watched is dropped. */
  over(endpoint: string, principal: Principal): void
}

/** That a guard let a request in, and as whom; without a principal the guard was optional and nothing was presented. */
export type Admission = {
  readonly guard: Guard
  readonly principal: Principal | undefined
  readonly use: Use | undefined
  /** The dimensions of data that a route has to name, as they were at the admission: what a handler makes of the principal changes nothing. */
  readonly limitedIn: readonly string[]
}

// What a request or an earlier middleware claims is worth nothing: only what a guard wrote here counts.
const admissions = new WeakMap<object, Admission>()

/** Remembers an admission, or with `undefined` forgets the one before. */
export function admit(request: object, admission: Admission | undefined): void {
  if (admission === undefined) admissions.delete(request)
  else admissions.set(request, admission)
}

/** The admission of a request, if a guard of this library gave one. */
export function admissionOf(request: object): Admission | undefined {
  return admissions.get(request)
}

/** Starts a use of a token. */
export function startUse(decider: Decider, principal: Principal, ip: string | undefined): Use {
  let outcome: UseOutcome = 'allowed'
  let counted = false
  let scope = ''
  const use: Use = {
    tokenId: principal.tokenId,
    required(asked) {
      if (asked === scope) return
      // Several checks of one request: everything that any of them asked for.
      scope = scope === '' ? asked : [...new Set([...scope.split(' '), ...asked.split(' ')])].sort().join(' ')
    },
    refusalsSpent: () => decider.refusalsSpent?.(principal),
    refused(code) {
      outcome = code
    },
    done(endpoint) {
      if (counted) return
      counted = true
      try {
        decider.countUse(principal, ip === undefined ? { endpoint, scope, outcome } : { endpoint, scope, outcome, ip })
      } catch (error) {
        // Usage never fails a request.
        decider.report('flush', error)
      }
    },
    over(endpoint, admitted) {
      use.done(endpoint)
      detachSignal(admitted)
    },
  }
  return use
}
