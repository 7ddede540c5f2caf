import { type Entry, rootIdOf } from '../cache/entry.js'
import { type RequestSignal, rememberSignal } from '../cache/signals.js'
import type { JsonObject, Resources } from '../model/json.js'
import type { Principal } from '../model/principal.js'
import type { ScopeSet } from '../policy/catalogue.js'
import { resourcesAllow } from '../policy/resource.js'
import { allowsScope } from '../policy/scope-set.js'

/** Gives a signal of an entry for one request. */
export type SignalOf = (entry: Entry) => RequestSignal

/**
 * The principal that `verify` answers.
 *
 * Its fields are for reading; what it allows is decided by private state, so that a handler that overwrites a field changes nothing.
 */
export class TokenPrincipal implements Principal {
  readonly kind = 'token'
  readonly tokenId: string
  readonly name: string
  declare readonly tenantId?: string
  declare readonly ownerId?: string
  readonly scopes: readonly string[]
  declare readonly resources?: Resources
  declare readonly metadata?: JsonObject
  readonly #entry: Entry
  readonly #granted: ScopeSet
  readonly #resources: Resources | undefined
  readonly #signalOf: SignalOf
  #signal: AbortSignal | undefined

  constructor(entry: Entry, granted: ScopeSet, resources: Resources | undefined, signalOf: SignalOf) {
    this.tokenId = entry.id
    this.name = entry.name
    if (entry.tenantId !== undefined) this.tenantId = entry.tenantId
    if (entry.ownerId !== undefined) this.ownerId = entry.ownerId
    this.scopes = granted.names
    if (resources !== undefined) this.resources = resources
    if (entry.optional?.metadata !== undefined) this.metadata = entry.optional.metadata
    this.#entry = entry
    this.#granted = granted
    this.#resources = resources
    this.#signalOf = signalOf
  }

  allows(scope: string, resources?: { readonly [dimension: string]: string | readonly string[] }): boolean {
    return allowsScope(this.#granted, scope) && (resources === undefined || resourcesAllow(this.#resources, resources))
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const { signal, detach } = this.#signalOf(this.#entry)
      this.#signal = signal
      rememberSignal(this, detach)
    }
    return this.#signal
  }

  /** The entry behind a principal that this library made; `undefined` for anything else. */
  static entryOf(principal: unknown): Entry | undefined {
    return TokenPrincipal.#made(principal) ? principal.#entry : undefined
  }

  /** The entry behind a principal that the instance with these signals made; `undefined` for anything else. */
  static entryFor(principal: unknown, signalOf: SignalOf): Entry | undefined {
    return TokenPrincipal.#made(principal) && principal.#signalOf === signalOf ? principal.#entry : undefined
  }

  static #made(principal: unknown): principal is TokenPrincipal {
    return typeof principal === 'object' && principal !== null && #entry in principal
  }

  /** The first token of the line of rotations of such a principal. */
  static rootIdOf(principal: unknown): string | undefined {
    const entry = TokenPrincipal.entryOf(principal)
    return entry === undefined ? undefined : rootIdOf(entry)
  }
}
