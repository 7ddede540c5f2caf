import type { RequestSignal } from '../../cache/signals.js'
import type { JsonObject, Resources } from '../../model/json.js'
import { scopeSet } from '../../policy/scope-set.js'
import { startTimer } from '../../store/timer.js'
import { GrantedPrincipal } from '../../verify/principal.js'

/** The holder of a verified token, as the token states it. */
export type Identity = {
  /** The id of the API token that it was exchanged for, or the subject of a foreign token. */
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
  #timer: ReturnType<typeof startTimer> | undefined

  constructor(kind: 'signed' | 'foreign', identity: Identity, endsInMs: () => number, parentSignal?: () => RequestSignal) {
    super({ ...identity, kind }, scopeSet(identity.scopes))
    this.#endsInMs = endsInMs
    this.#parentSignal = parentSignal
  }

  /** Fires when the token expires or, if its parent API token is followed, when that ends. */
  get signal(): AbortSignal {
    return GrantedPrincipal.signalFor(this, () => this.#open())
  }

  #open(): RequestSignal {
    const controller = new AbortController()
    this.#arm(controller)
    const parent = this.#parentSignal?.()
    const end = (): void => {
      clearTimeout(this.#timer)
      controller.abort(parent?.signal.reason)
    }
    if (parent?.signal.aborted === true) end()
    else parent?.signal.addEventListener('abort', end, { once: true })
    const detach = (): void => {
      clearTimeout(this.#timer)
      parent?.detach()
    }
    return { signal: controller.signal, detach }
  }

  #arm(controller: AbortController): void {
    const left = this.#left()
    if (left <= 0) {
      controller.abort()
      return
    }
    this.#timer = startTimer(() => this.#arm(controller), left)
  }

  // A timer calls this too, and an exception there would end the process. If the clock returns no valid time, the token counts as expired.
  #left(): number {
    try {
      const left = this.#endsInMs()
      return Number.isNaN(left) ? 0 : left
    } catch {
      return 0
    }
  }
}
