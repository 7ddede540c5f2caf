import type { OpenUse } from '../activity/open-uses.js'
import type { Decider } from '../instance.js'
import type { UseOutcome } from '../model/counted-use.js'
import type { Principal, RateState } from '../model/principal.js'
import { endRequest } from '../verify/principal.js'
import type { OnWarning } from './diagnostics.js'
import { systemMonotonic } from './options.js'
import type { PlainResponse } from './problem.js'
import type { Refuse } from './refuse.js'

/**
 * How long to wait after a client disconnects, or after the last check that was under way, before its use is counted. Another check may follow in the meantime:
 * nothing reports the end of the host's own work.
 */
const COUNTED_AFTER_MS = 2_000

/** A configured `authenticate(tokens, options)`. It makes the decisions; adapters only translate. */
export type Guard = {
  readonly decider: Decider
  readonly optional: boolean
  /** The request field for the `Vary` header when the token comes in a custom header, which shared caches do not recognize. */
  readonly vary: string | undefined
  readonly onWarning: OnWarning | undefined
  readonly refuse: Refuse<unknown>
  /** Passes an admitted request to its framework. If that throws, the request is refused. Returns the refusal, if any. */
  readonly admitBy: (request: unknown, admit: () => PlainResponse | undefined) => PlainResponse | undefined
  /** The credentials in a request. Errors from callbacks that receive the request must not quote them. */
  readonly secretsOf: (request: unknown) => readonly string[]
}

/** The part of a Node response that shows whether the response has begun. */
type NodeResponse = { readonly headersSent?: unknown }

/** One admitted use of a token, counted once: when its response is finished, or soon after it has begun. */
export type Use = {
  readonly tokenId: string | undefined
  /** Adds the scopes that a check required, sorted and separated by spaces. */
  required(scope: string): void
  /** Returns the rate state when this token has no refusals left. */
  refusalsSpent(): RateState | undefined
  /** Delays the count until this check, which may still refuse the request, has ended and has recorded its result. Returns the check. */
  during<T>(check: Promise<T>): Promise<T>
  /** Records the code that a later check refused the request with. */
  refused(code: Exclude<UseOutcome, 'allowed'>): void
  /** Counts the use, the first time only. `endpoint` is the method and pattern of the route, or empty if unknown. */
  done(endpoint: string): void
  /**
   * Provides the endpoint for a use that is counted before `done`, which happens at the next flush after this response has begun, or when the instance closes.
   * Returns a function to call once the response has been sent or abandoned. It stops watching the principal's token for this request, and counts the use
   * unless a later check can still refuse it.
   */
  follow(endpointOf: () => string, response?: NodeResponse, principal?: Principal): () => void
}

/** An admission by a guard, with its principal. Without a principal, the guard was optional and the request had no credential. */
export type Admission = {
  readonly guard: Guard
  readonly principal: Principal | undefined
  readonly use: Use | undefined
  /** How many milliseconds of the deadline the decision and later lookups have used so far. */
  spentMs: number
  /** The dimensions of data that a route must name, as of the admission. Changes that a handler makes to the principal have no effect. */
  readonly limitedIn: readonly string[]
}

/** Known only to this module, so that only this module can create marks. */
const KEY = Object.freeze({})

/**
 * The mark that a guard attaches to a request that it admitted. It is valid only for the request that it was created for, and only this module can create,
 * read or change it. Properties that other middleware sets on the request prove nothing.
 */
class Mark {
  readonly #request: object
  #admission: Admission | undefined

  constructor(key: object, request: object, admission: Admission) {
    // Code that finds a mark can also reach its constructor.
    if (key !== KEY) throw new TypeError('only a guard admits a request')
    this.#request = request
    this.#admission = admission
  }

  static isOf(value: unknown, request: object): value is Mark {
    return typeof value === 'object' && value !== null && #request in value && value.#request === request
  }

  static read(mark: Mark): Admission | undefined {
    return mark.#admission
  }

  /** A canceled mark stays invalid, even if other code kept a reference to it. */
  static cancel(mark: Mark): void {
    mark.#admission = undefined
  }
}

const MARK = Symbol('latchkey.mark')

/** The object that holds the mark: the raw header list of a Node request, because a property on the request itself is expensive, or the context of Hono. */
type Carrier = { [MARK]?: unknown }

/** The request types of Express, of Fastify, and of Koa or Hono, in this order. */
type Framework = {
  readonly rawHeaders?: unknown
  readonly raw?: { readonly rawHeaders?: unknown }
  readonly req?: { readonly rawHeaders?: unknown }
}

function carrierOf(request: Framework): Carrier | undefined {
  const list = request.rawHeaders ?? request.raw?.rawHeaders ?? request.req?.rawHeaders
  if (Array.isArray(list)) return Object.isExtensible(list) ? (list as Carrier) : undefined
  return request.req !== undefined && Object.isExtensible(request) ? (request as Carrier) : undefined
}

// For requests without such an object, or whose object already holds the mark of another request. Each entry makes every garbage collection slower.
const admissions = new WeakMap<object, Admission>()

/** Stores an admission. With `undefined`, removes the previous one. */
export function admit(request: object, admission: Admission | undefined): void {
  const carrier = carrierOf(request)
  const mark = carrier?.[MARK]
  if (Mark.isOf(mark, request)) Mark.cancel(mark)
  else if (carrier === undefined || mark !== undefined) {
    if (admission === undefined) admissions.delete(request)
    else admissions.set(request, admission)
    return
  }
  if (admission !== undefined && carrier !== undefined) carrier[MARK] = new Mark(KEY, request, admission)
}

/** Returns the admission of a request, if a guard of this library admitted it. */
export function admissionOf(request: object): Admission | undefined {
  const mark = carrierOf(request)?.[MARK]
  return Mark.isOf(mark, request) ? Mark.read(mark) : admissions.get(request)
}

/** Starts a use of a token. */
export function startUse(decider: Decider, principal: Principal, ip: string | undefined): Use {
  return new RequestUse(decider, principal, ip)
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

class RequestUse implements Use, OpenUse {
  readonly tokenId: string | undefined
  readonly #decider: Decider
  readonly #principal: Principal
  readonly #ip: string | undefined
  #outcome: UseOutcome = 'allowed'
  #counted = false
  #scope = ''
  #endpointOf: (() => string) | undefined
  #response: NodeResponse | undefined
  /** When the client left before the response had begun, or when the last check ended after that. */
  #leftAt: number | undefined
  /** The number of checks under way. */
  #checks = 0

  constructor(decider: Decider, principal: Principal, ip: string | undefined) {
    this.tokenId = principal.tokenId
    this.#decider = decider
    this.#principal = principal
    this.#ip = ip
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
    const isLate = this.#counted && this.#outcome === 'allowed'
    this.#outcome = code
    // The use is already counted as allowed, for example because its client had left so long ago. A refusal still leaves a trace and gives the use back.
    if (isLate) this.#count(this.#endpointNow(), true)
  }

  done(endpoint: string): void {
    if (this.#counted) return
    this.#counted = true
    this.#decider.openUses?.delete(this)
    this.#count(endpoint)
  }

  #count(endpoint: string, isCounted = false): void {
    const use = { endpoint, scope: this.#scope, outcome: this.#outcome, ip: this.#ip, isCounted }
    try {
      this.#decider.countUse(this.#principal, use)
    } catch (error) {
      // Counting usage must never fail a request.
      this.#decider.report('flush', error)
    }
  }

  follow(endpointOf: () => string, response?: NodeResponse, principal?: Principal): () => void {
    this.#endpointOf = endpointOf
    this.#response = response
    if (!this.#counted) this.#decider.openUses?.add(this)
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
      return this.#endpointOf?.() ?? ''
    } catch (error) {
      // If a framework behaves unexpectedly, the use is counted without its endpoint.
      this.#decider.report('flush', error)
      return ''
    }
  }
}
