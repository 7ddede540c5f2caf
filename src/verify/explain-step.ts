import type { Owned } from '../cache/owners.js'
import type { Code } from '../errors.js'
import type { ExplainStep, ExplainUnknown } from '../model/explanation.js'
import type { Resources } from '../model/json.js'
import type { StoredToken } from '../model/record.js'

/** The record as it was at an instant, so far as that is known. */
export type Moment = {
  readonly record: StoredToken
  readonly at: number
  /** The owner's permissions, the rate limits and the options are known of the present only. */
  readonly past: boolean
  /** Are the terms in `record` those of the instant? That it was revoked or not is known in any case. */
  readonly known: boolean
}

/** The request that is asked about, as far as the question says. */
export type AskedAbout = {
  readonly ip: string | undefined
  readonly scopes: readonly string[] | undefined
  readonly resources: Resources | undefined
}

/** An owner's permissions: `null` if it is gone; `undefined` where nothing limits the token; or why they are not known. */
export type OwnerFound = { readonly owned: Owned | null | undefined } | { readonly owned?: undefined; readonly unknown: true }

/** The facts of a step. */
export type Facts = Omit<ExplainStep, 'step' | 'ok' | 'code' | 'unknown'>

/** Creates a step with a known outcome. */
export function decided(step: ExplainStep['step'], ok: boolean, code: Code, facts: Facts = {}): ExplainStep {
  return { step, ok, ...(!ok && { code }), ...facts }
}

/** Creates a step with an unknown outcome. */
export function unknown(step: ExplainStep['step'], why: ExplainUnknown, facts: Facts = {}): ExplainStep {
  return { step, unknown: why, ...facts }
}
