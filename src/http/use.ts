import type { OpenUse } from '../activity/open-uses.js'
import type { Decider } from '../instance.js'
import type { UseOutcome } from '../model/counted-use.js'
import type { Principal, RateState } from '../model/principal.js'
import { endRequest } from '../verify/principal.js'
import { systemMonotonic } from './options.js'

/**
 * How long to wait after a client disconnects, or after the last check that was under way, before its use is counted. Another check may follow in the meantime:
 * nothing reports the end of the host's own work.
 */
const COUNTED_AFTER_MS = 2_000

/** The part of a Node response that shows whether the response has begun. */
type NodeResponse = { readonly headersSent?: unknown }

/** One admitted use of a token, counted once: when its response is finished, or soon after it has begun. */
export type Use = {
  /** The principal that the use began with. */
  readonly principal: Principal
  /** The address that the guard admitted the request from. */
  readonly ip: string | undefined
  readonly isRefused: boolean
  /** The number of later decisions under way on the request, which may continue this use. */
  laterDecisions: number
  /** Whether a later decision on the request has refused it. Another one may have admitted it. */
  isRefusedLater: boolean
  /** Adds the scopes that a check required, sorted and separated by spaces. */
  required(scope: string): void
  /** Returns the rate state when this token has no refusals left. */
  refusalsSpent(): RateState | undefined
  /** Delays the count until this check, which may still refuse the request, has ended and has recorded its result. Returns the check. */
  during<T>(check: Promise<T>): Promise<T>
  /** Records the code that a later check refused the request with. Each code leaves one trace, but the use is counted and given back once. */
  refused(code: Exclude<UseOutcome, 'allowed'>): void
  /** Counts the use, the first time only. `endpoint` is the method and pattern of the route, or empty if unknown. */
  done(endpoint: string): void
  /** Closes the use without counting or refunding it, because nothing will call `done`. */
  forget(): void
  /** Sets the endpoint for a use that is counted before `done`, which happens when the instance closes. */
  routed(endpoint: string): void
  /**
   * Provides the endpoint of `routed` for a use that is counted before `done`, which happens at the next flush after this response has begun, or when the
   * instance closes. Returns a function to call once the response has been sent or abandoned. It stops watching the principal's token for this request, and
   * counts the use unless a later check can still refuse it.
   */
  follow<Routed>(endpointOf: (routed: Routed) => string, routed: Routed, response?: NodeResponse, principal?: Principal): () => void
}

/** Starts a use of a token. It stays open until `done` or `forget`. */
export function startUse(decider: Decider, principal: Principal, ip: string | undefined): Use {
  const use = new RequestUse(decider, principal, ip)
  decider.openUses?.add(use)
  return use
}

/**
 * Records that a check after the admission refused the request with this code. Returns the rate state if the token has no refusals left: then the refusal is
 * `rate_limited` instead.
 */
export function refuseUse(use: Use | undefined, code: Exclude<UseOutcome, 'allowed'>): RateState | undefined {
  const spent = use?.refusalsSpent()
  use?.refused(spent === undefined ? code : 'rate_limited')
  return spent
}

/**
 * Refunds a use that ended without a decision, for example with a 503. The use counts neither as allowed nor as refused. A failed lookup uses up the refusal
 * budget, because the caller may have chosen a value that makes it fail.
 */
export function undoUse(use: Use | undefined, why: 'undecided' | 'lookup_failed' = 'undecided'): void {
  use?.refused(why)
  use?.done('')
}

const asNamed = (endpoint: string): string => endpoint

const NO_CODES: readonly UseOutcome[] = []

class RequestUse implements Use, OpenUse {
  laterDecisions = 0
  isRefusedLater = false
  isOpen = false
  previous: OpenUse | undefined
  next: OpenUse | undefined
  readonly #decider: Decider
  readonly #principal: Principal
  readonly ip: string | undefined
  /** The codes that checks refused the request with. The first one is the outcome. */
  #codes: readonly UseOutcome[] = NO_CODES
  #counted = false
  #scope = ''
  #endpointOf: ((routed: never) => string) | undefined
  #routed: unknown
  #response: NodeResponse | undefined
  /** When the client left before the response had begun, or when the last check ended after that. */
  #leftAt: number | undefined
  /** The number of checks under way. */
  #checks = 0

  constructor(decider: Decider, principal: Principal, ip: string | undefined) {
    this.#decider = decider
    this.#principal = principal
    this.ip = ip
  }

  get principal(): Principal {
    return this.#principal
  }

  get isRefused(): boolean {
    return this.#codes.length > 0
  }

  required(asked: string): void {
    if (asked === this.#scope) return
    // With several checks on one request, the name lists all scopes that any of them required.
    this.#scope = this.#scope === '' ? asked : [...new Set([...this.#scope.split(' '), ...asked.split(' ')])].sort().join(' ')
  }

  refusalsSpent(): RateState | undefined {
    return this.#decider.refusalsSpent?.(this.#principal)
  }

  during<T>(check: Promise<T>): Promise<T> {
    this.#checks += 1
    const ended = (): void => {
      this.#checks -= 1
      if (this.#leftAt !== undefined) this.#leftAt = this.#now()
    }
    check.then(ended, ended)
    return check
  }

  refused(code: Exclude<UseOutcome, 'allowed'>): void {
    if (this.#codes.includes(code)) return
    this.#codes = [...this.#codes, code]
    // The use may already be counted as allowed, for example because its client had left so long ago. A refusal still leaves a trace and gives the use back.
    if (this.#counted || this.#codes.length > 1) this.#count(this.#endpointNow(), code, true)
  }

  done(endpoint: string): void {
    if (this.#counted) return
    this.#counted = true
    this.#decider.openUses?.delete(this)
    this.#count(endpoint, this.#codes[0] ?? 'allowed', false)
  }

  forget(): void {
    this.#decider.openUses?.delete(this)
  }

  #count(endpoint: string, outcome: UseOutcome, isCounted: boolean): void {
    const use = { endpoint, scope: this.#scope, outcome, ip: this.ip, isCounted }
    try {
      this.#decider.countUse(this.#principal, use)
    } catch (error) {
      // Counting usage must never fail a request.
      this.#decider.report('flush', error)
    }
  }

  routed(endpoint: string): void {
    this.#endpointOf = asNamed
    this.#routed = endpoint
  }

  follow<Routed>(endpointOf: (routed: Routed) => string, routed: Routed, response?: NodeResponse, principal?: Principal): () => void {
    this.#endpointOf = endpointOf
    this.#routed = routed
    this.#response = response
    return () => {
      if (principal !== undefined) endRequest(principal)
      const isOver = this.#checks === 0 && (response === undefined || response.headersSent === true)
      if (isOver || this.#decider.openUses === undefined) this.settle(true)
      else this.#leftAt = this.#now()
    }
  }

  #now(): number {
    return (this.#decider.monotonic ?? systemMonotonic)()
  }

  settle(now: boolean): void {
    if (this.#counted || (!now && this.#checks > 0)) return
    if (!now && this.#response?.headersSent !== true) {
      if (this.#leftAt === undefined || this.#now() - this.#leftAt <= COUNTED_AFTER_MS) return
    }
    this.done(this.#endpointNow())
  }

  #endpointNow(): string {
    try {
      return this.#endpointOf?.(this.#routed as never) ?? ''
    } catch (error) {
      // If a framework behaves unexpectedly, the use is counted without its endpoint.
      this.#decider.report('flush', error)
      return ''
    }
  }
}
