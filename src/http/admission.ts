import type { Decider } from '../instance.js'
import type { Principal } from '../model/principal.js'
import type { OnWarning } from './diagnostics.js'
import type { PlainResponse } from './problem.js'
import type { Refuse } from './refuse.js'
import type { Use } from './use.js'

/** A configured `authenticate(tokens, options)`. It makes the decisions; adapters only translate. */
export type Guard = {
  readonly decider: Decider
  readonly optional: boolean
  /** The request field for the `Vary` header when the token comes in a custom header, which shared caches do not recognize. */
  readonly vary: string | undefined
  readonly onWarning: OnWarning | undefined
  readonly refuse: Refuse<unknown>
  /** Returns whether a scope that a route requires exists, and warns if it does not. */
  readonly knows: (scope: string) => boolean
  /** Passes an outcome to its framework by calling `admit`. If that throws, the request is refused. Returns the refusal, if any. */
  readonly admitBy: <Outcome extends { readonly use?: Use | undefined } | undefined, R, Response>(
    admit: (outcome: Outcome, request: R, response: Response) => PlainResponse | undefined,
    outcome: Outcome,
    request: R,
    response: Response,
  ) => PlainResponse | undefined
  /** The credentials in a request. Errors from callbacks that receive the request must not quote them. */
  readonly secretsOf: (request: unknown) => readonly string[]
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

/**
 * A guard's decision: admitted with a principal, admitted without one, or refused with a response. An admission has a `response` of `undefined`, because other
 * code may have put one on `Object.prototype`.
 */
export type GuardOutcome =
  | (Admission & { readonly principal: Principal; readonly response: undefined })
  | (Admission & { readonly use: undefined; readonly response: undefined })
  | { readonly response: PlainResponse; readonly principal?: undefined; readonly use?: undefined }

/** Known only to this module, so that only this module can create marks. */
const KEY = Object.freeze({})

// Variables of this module, because code that finds a mark could call static methods of its class.
let isMarkOf: (value: unknown, request: object) => value is Mark
let readMark: (mark: Mark) => Admission | undefined
/** A canceled mark stays invalid, even if other code kept a reference to it. */
let cancelMark: (mark: Mark) => void

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

  static {
    isMarkOf = (value, request): value is Mark =>
      typeof value === 'object' && value !== null && #request in value && value.#request === request
    readMark = (mark) => mark.#admission
    cancelMark = (mark) => {
      mark.#admission = undefined
    }
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

/** `known`: the list, if the adapter has already read it. On Express, each read of a request takes long. */
function carrierOf(request: Framework, known: readonly string[] | undefined): Carrier | undefined {
  const list = known ?? request.rawHeaders ?? request.raw?.rawHeaders ?? request.req?.rawHeaders
  if (Array.isArray(list)) return list as Carrier
  return request.req === undefined ? undefined : (request as Carrier)
}

// For requests without such an object, or whose object is frozen or already holds the mark of another request. Each entry makes every garbage collection
// slower.
const admissions = new WeakMap<object, Admission>()

/** Stores an admission in place of the previous one. `rawHeaders`, here and below: the request's list of header fields, if it has been read already. */
export function admit(request: object, admission: Admission, rawHeaders?: readonly string[]): void {
  const carrier = carrierOf(request, rawHeaders)
  const mark = carrier?.[MARK]
  const isFree = mark === undefined || isMarkOf(mark, request)
  take(request, mark)
  if (carrier !== undefined && isFree && Object.isExtensible(carrier)) carrier[MARK] = new Mark(KEY, request, admission)
  else admissions.set(request, admission)
}

/** Returns the admission of a request, if a guard of this library admitted it. */
export function admissionOf(request: object, rawHeaders?: readonly string[]): Admission | undefined {
  const mark = carrierOf(request, rawHeaders)?.[MARK]
  return (isMarkOf(mark, request) ? readMark(mark) : undefined) ?? admissions.get(request)
}

/** Ends the admission of a request. Returns it, if there was one. */
export function withdraw(request: object, rawHeaders?: readonly string[]): Admission | undefined {
  return take(request, carrierOf(request, rawHeaders)?.[MARK])
}

function take(request: object, mark: unknown): Admission | undefined {
  const kept = admissions.get(request)
  if (kept !== undefined) admissions.delete(request)
  if (!isMarkOf(mark, request)) return kept
  const marked = readMark(mark)
  cancelMark(mark)
  return marked ?? kept
}
