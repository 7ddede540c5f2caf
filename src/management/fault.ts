import { type Code, LatchkeyError } from '../errors.js'
import type { RateState } from '../model/principal.js'
import { NEVER_SECONDS } from '../rate-limit/rates.js'

/** The part of a request that contains a fault. */
export type Part = 'body' | 'query' | 'path' | 'header'

/** One problem with a request. */
export type Fault = {
  readonly in: Part
  /** A JSON pointer as a URI fragment (RFC 6901 §6): `#/scopes/0`. For a header, its name. */
  readonly pointer: string
  readonly detail: string
}

/** A request that is refused because of its content. Each fault names its field. */
export class RequestFault extends LatchkeyError<'invalid_input' | 'payload_too_large' | 'media_type_unsupported'> {
  readonly faults: readonly Fault[]

  constructor(
    faults: readonly [Fault, ...Fault[]],
    code: 'invalid_input' | 'payload_too_large' | 'media_type_unsupported' = 'invalid_input',
    message: string = faults[0].detail,
  ) {
    super(code, message)
    this.faults = faults
  }
}

/** Creates the error for one fault. */
export function fault(part: Part, path: readonly PropertyKey[], detail: string): RequestFault {
  return new RequestFault([{ in: part, pointer: pointerTo(path), detail }])
}

/** Creates a JSON pointer as a URI fragment. */
export function pointerTo(path: readonly PropertyKey[]): string {
  return `#${path.map((step) => `/${escapeStep(String(step))}`).join('')}`
}

/** A path that does not exist for this caller. */
export class PathRefusal extends LatchkeyError<'not_found'> {
  constructor(message: string = 'there is nothing at this path') {
    super('not_found', message)
  }
}

/** A call beyond a limit. */
export class RateRefusal extends LatchkeyError<'rate_limited'> {
  /** The state of the limits. */
  readonly rates: readonly RateState[]

  constructor(rates: readonly RateState[], { resetSeconds = NEVER_SECONDS }: RateState) {
    super('rate_limited', 'too many requests; wait and retry', { retryAfterSeconds: Math.max(resetSeconds, 1) })
    this.rates = rates
  }
}

/** A refusal that does not concern a particular field. */
export class Refusal extends LatchkeyError<Code> {}

// RFC 6901 §3 and §6. A lone surrogate cannot be percent-encoded, so it becomes the replacement character first.
function escapeStep(step: string): string {
  return encodeURIComponent(
    step
      .replace(/~/g, '~0')
      .replace(/\//g, '~1')
      .replace(/\p{Surrogate}/gu, '\ufffd'),
  )
}
