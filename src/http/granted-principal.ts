import type { JsonObject, Resources } from '../model/json.js'
import type { Principal } from '../model/principal.js'
import { resourcesAllow } from '../policy/resource.js'
import { allowsScope, type ScopeSet } from '../policy/scope-set.js'

/** Whom a principal stands for. */
export type Holder = {
  readonly tokenId?: string | undefined
  readonly name: string
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly resources?: Resources | undefined
  readonly metadata?: JsonObject | undefined
}

/**
 * A principal that was not made from a record of the store.
 *
 * Its fields are for reading; what it allows is decided by private state, so that a handler that overwrites a field changes nothing.
 */
export abstract class GrantedPrincipal implements Principal {
  abstract readonly kind: Principal['kind']
  declare readonly tokenId?: string
  readonly name: string
  declare readonly tenantId?: string
  declare readonly ownerId?: string
  readonly scopes: readonly string[]
  declare readonly resources?: Resources
  declare readonly metadata?: JsonObject
  readonly #granted: ScopeSet
  readonly #resources: Resources | undefined

  constructor({ tokenId, name, tenantId, ownerId, resources, metadata }: Holder, granted: ScopeSet) {
    if (tokenId !== undefined) this.tokenId = tokenId
    this.name = name
    if (tenantId !== undefined) this.tenantId = tenantId
    if (ownerId !== undefined) this.ownerId = ownerId
    this.scopes = granted.names
    if (resources !== undefined) this.resources = resources
    if (metadata !== undefined) this.metadata = metadata
    this.#granted = granted
    this.#resources = resources
  }

  allows(scope: string, resources?: { readonly [dimension: string]: string | readonly string[] }): boolean {
    return allowsScope(this.#granted, scope) && (resources === undefined || resourcesAllow(this.#resources, resources))
  }

  abstract get signal(): AbortSignal
}
