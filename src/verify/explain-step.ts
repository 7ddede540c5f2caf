import type { Owned } from '../cache/owners.js'
import type { Code } from '../errors.js'
import type { ExplainStep, ExplainUnknown } from '../model/explanation.js'
import type { Resources } from '../model/json.js'
import type { StoredToken } from '../model/record.js'

/** The record as it was at an instant, as far as that is known. */
export type Moment = {
  readonly record: StoredToken
  readonly at: number
  /** Whether `at` is in the past. The owner's permissions, the rate limits and the options are known only for the current time. */
  readonly past: boolean
  /** Whether the settings in `record` are those of the instant. Whether it was revoked is always known. */
  readonly known: boolean
  /** Whether it was imported with a different key than the configured one. */
  readonly isOfOtherKey: boolean
}

/** The request that is explained, as far as the input describes it. */
export type AskedAbout = {
  readonly ip: string | undefined
  readonly scopes: readonly string[] | undefined
  readonly resources: Resources | undefined
}

/** An owner's permissions (`null` if the owner is gone, `undefined` if no owner limits the token), or the fact that they are unknown. */
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
