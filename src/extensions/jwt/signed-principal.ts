import type { RequestSignal } from '../../cache/signals.js'
import type { Standing } from '../../cache/standing.js'
import type { JsonObject, Resources } from '../../model/json.js'
import { scopeSet } from '../../policy/scope-set.js'
import { intersectResources } from '../../verify/permissions.js'
import { GrantedPrincipal } from '../../verify/principal.js'
import { openSignal } from './signed-signal.js'

/** The holder of a verified token, as the token states it. */
export type Identity = {
  /** The ID of the API token that it was exchanged for, or the subject of a foreign token. */
  readonly tokenId: string
  readonly name: string
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly scopes: readonly string[]
  readonly resources?: Resources | undefined
  readonly metadata?: JsonObject | undefined
  /** The addresses that the token may be used from. Absent: any. */
  readonly allowedIps?: readonly string[] | undefined
}

/** The principal of a signed token, with the same shape as that of an API token. */
export class SignedPrincipal extends GrantedPrincipal {
  readonly #endsInMs: () => number
  readonly #parentSignal: (() => RequestSignal) | undefined

  constructor(kind: 'signed' | 'foreign', identity: Identity, endsInMs: () => number, parentSignal?: () => RequestSignal) {
    super({ ...identity, kind }, scopeSet(identity.scopes))
    this.#endsInMs = endsInMs
    this.#parentSignal = parentSignal
  }

  /** Fires when the token expires or, if its parent API token is followed, when that token ends. */
  get signal(): AbortSignal {
    return GrantedPrincipal.signalFor(this, () => openSignal(this.#endsInMs, this.#parentSignal?.()))
  }
}

/** Limits a signed token to the current permissions of its parent. */
export function narrowedBy(identity: Identity, parent: Extract<Standing, { code?: undefined }>): Identity {
  return {
    ...identity,
    scopes: identity.scopes.filter((scope) => parent.scopes.has(scope)),
    resources: intersectResources(identity.resources, parent.resources),
  }
}
