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

/** Only this module makes marks. */
const KEY = Object.freeze({})

/**
 * What a guard leaves behind where it let a request in. The request, or what other middleware puts on it, claims nothing: a mark counts for the one request that it
 * was made for, and nobody else can make, read or change one.
 */
class Mark {
  readonly #request: object
  #admission: Admission | undefined

  constructor(key: object, request: object, admission: Admission) {
    // Whoever finds a mark has its constructor.
    if (key !== KEY) throw new TypeError('only a guard lets a request in')
    this.#request = request
    this.#admission = admission
  }

  static isOf(value: unknown, request: object): value is Mark {
    return typeof value === 'object' && value !== null && #request in value && value.#request === request
  }

  static read(mark: Mark): Admission | undefined {
    return mark.#admission
  }

  /** What is forgotten stays forgotten, also where somebody kept the mark. */
  static cancel(mark: Mark): void {
    mark.#admission = undefined
  }
}

const MARK = Symbol('latchkey.mark')

/** The list of raw fields of a Node request: a property there costs next to nothing, one on the request itself much. */
type Carrier = { [MARK]?: unknown }

/** A request of Express, Fastify or Koa, in this order. */
type OnNode = {
  readonly rawHeaders?: unknown
  readonly raw?: { readonly rawHeaders?: unknown }
  readonly req?: { readonly rawHeaders?: unknown }
}

function carrierOf(request: OnNode): Carrier | undefined {
  const list = request.rawHeaders ?? request.raw?.rawHeaders ?? request.req?.rawHeaders
  return Array.isArray(list) && Object.isExtensible(list) ? (list as Carrier) : undefined
}

// For requests that have no such list, or share it with another that was let in. Each entry is paid for at every garbage collection.
const admissions = new WeakMap<object, Admission>()

/** Remembers an admission, or with `undefined` forgets the one before. */
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

/** The admission of a request, if a guard of this library gave one. */
export function admissionOf(request: object): Admission | undefined {
  const mark = carrierOf(request)?.[MARK]
  return Mark.isOf(mark, request) ? Mark.read(mark) : admissions.get(request)
}

/** Starts a use of a token. */
export function startUse(decider: Decider, principal: Principal, ip: string | undefined): Use {
  return new RequestUse(decider, principal, ip)
}

class RequestUse implements Use {
  readonly #decider: Decider
  readonly #principal: Principal
  readonly #ip: string | undefined
  #outcome: UseOutcome = 'allowed'
  #counted = false
  #scope = ''

  constructor(decider: Decider, principal: Principal, ip: string | undefined) {
    this.#decider = decider
    this.#principal = principal
    this.#ip = ip
  }

  get tokenId(): string | undefined {
    return this.#principal.tokenId
  }

  required(asked: string): void {
    if (asked === this.#scope) return
    // Several checks of one request: everything that any of them asked for.
    this.#scope = this.#scope === '' ? asked : [...new Set([...this.#scope.split(' '), ...asked.split(' ')])].sort().join(' ')
  }

  refusalsSpent(): RateState | undefined {
    return this.#decider.refusalsSpent?.(this.#principal)
  }

  refused(code: Exclude<UseOutcome, 'allowed'>): void {
    this.#outcome = code
  }

  done(endpoint: string): void {
    if (this.#counted) return
    this.#counted = true
    const ip = this.#ip
    const scope = this.#scope
    const outcome = this.#outcome
    try {
      this.#decider.countUse(this.#principal, ip === undefined ? { endpoint, scope, outcome } : { endpoint, scope, outcome, ip })
    } catch (error) {
      // Usage never fails a request.
      this.#decider.report('flush', error)
    }
  }

  over(endpoint: string, admitted: Principal): void {
    this.done(endpoint)
    detachSignal(admitted)
  }
}
