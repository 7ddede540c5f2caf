import { type RequestSignal, rememberSignal } from '../../cache/signals.js'
import { GrantedPrincipal } from '../../http/granted-principal.js'
import type { JsonObject, Resources } from '../../model/json.js'
import { scopeSet } from '../../policy/scope-set.js'
import { startTimer } from '../../store/timer.js'

/** The holder of a verified token, as the token states it. */
export type Identity = {
  /** The API token that it was made from, or the subject of a foreign token. */
  readonly tokenId: string
  readonly name: string
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly scopes: readonly string[]
  readonly resources?: Resources | undefined
  readonly metadata?: JsonObject | undefined
  /** Where the token may be used from. Absent: from anywhere. */
  readonly allowedIps?: readonly string[] | undefined
}

/** The principal of a signed token: the same shape as that of an API token. */
export class SignedPrincipal extends GrantedPrincipal {
  readonly kind: 'signed' | 'foreign'
  readonly #endsInMs: () => number
  readonly #parentSignal: (() => RequestSignal) | undefined
  #signal: AbortSignal | undefined
  #timer: ReturnType<typeof startTimer> | undefined

  constructor(kind: 'signed' | 'foreign', identity: Identity, endsInMs: () => number, parentSignal?: () => RequestSignal) {
    super(identity, scopeSet(identity.scopes))
    this.kind = kind
    this.#endsInMs = endsInMs
    this.#parentSignal = parentSignal
  }

  /** Fires when the token expires, or when the API token that it was made from ends, where that is followed. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController()
      this.#signal = controller.signal
      this.#arm(controller)
      const parent = this.#parentSignal?.()
      const end = (): void => {
        clearTimeout(this.#timer)
        controller.abort(parent?.signal.reason)
      }
      if (parent?.signal.aborted === true) end()
      else parent?.signal.addEventListener('abort', end, { once: true })
      rememberSignal(this, () => {
        clearTimeout(this.#timer)
        parent?.detach()
      })
    }
    return this.#signal
  }

  #arm(controller: AbortController): void {
    const left = this.#left()
    if (left <= 0) {
      controller.abort()
      return
    }
    this.#timer = startTimer(() => this.#arm(controller), left)
  }

  // Asked by a timer too, where a throw would end the process. By a clock that does not tell the time the token has ended.
  #left(): number {
    try {
      const left = this.#endsInMs()
      return Number.isNaN(left) ? 0 : left
    } catch {
      return 0
    }
  }
}
