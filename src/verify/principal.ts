import { endsWith } from '../cache/ending-together.js'
import { type Entry, rootIdOf } from '../cache/entry.js'
import type { RequestSignal } from '../cache/signals.js'
import type { TokenHolder } from '../cache/standing.js'
import type { JsonObject, Resources } from '../model/json.js'
import { cutOff, ownFields } from '../model/own-fields.js'
import type { Principal } from '../model/principal.js'
import type { ScopeSet } from '../policy/catalogue.js'
import { resourcesAllow } from '../policy/resource.js'
import { allowsScope } from '../policy/scope-set.js'

/** Opens a signal of an entry for one request. */
export type SignalOf = (entry: Entry) => RequestSignal

/** The resources to check against those of a principal. */
type Asked = { readonly [dimension: string]: string | readonly string[] }

/** Calls back when an object, such as a response, has ended; immediately if it already has. */
type WhenOver<C> = (closing: C, end: () => void) => void

/**
 * The state of a principal's request: whether the request is over, and the signal once it has been read. Until then: the event that ends the request, and how
 * to listen for it.
 */
type Life = {
  over: boolean
  readonly opened?: RequestSignal
  readonly closing?: unknown
  readonly whenOver?: WhenOver<unknown>
}

const OVER: Life = Object.freeze({ over: true })

/**
 * A principal that this library made.
 *
 * Its properties are informational. Its permissions and whether its request is over are private state, so a handler that overwrites a property changes nothing.
 */
abstract class OwnPrincipal {
  readonly #granted: ScopeSet
  readonly #resources: Resources | undefined
  #life: Life | undefined

  constructor(granted: ScopeSet, resources: Resources | undefined) {
    this.#granted = granted
    this.#resources = resources
  }

  allows(scope: string, resources?: Asked): boolean {
    return this.#allows(scope, resources)
  }

  #allows(scope: string, resources: Asked | undefined): boolean {
    return allowsScope(this.#granted, scope) && (resources === undefined || resourcesAllow(this.#resources, resources))
  }

  /** Returns the signal of a principal, opened when it is first read. A signal that is first read after the request is over never fires. */
  static signalFor(principal: OwnPrincipal, open: () => RequestSignal): AbortSignal {
    const life = principal.#life
    if (life?.opened !== undefined) return life.opened.signal
    const over = life?.over === true
    const opened = over ? neverFiring() : open()
    principal.#life = { over, opened }
    life?.whenOver?.(life.closing, () => OwnPrincipal.end(principal))
    return opened.signal
  }

  static end(principal: unknown): void {
    if (!OwnPrincipal.#made(principal)) return
    const life = principal.#life
    if (life?.opened === undefined) principal.#life = OVER
    else if (!life.over) {
      life.over = true
      life.opened.detach()
    }
  }

  static endWith<C>(principal: unknown, closing: C, whenOver: WhenOver<C>): void {
    if (!OwnPrincipal.#made(principal) || principal.#life?.over === true) return
    // Until the signal is read, there is no need to listen.
    if (principal.#life?.opened !== undefined) whenOver(closing, () => OwnPrincipal.end(principal))
    else principal.#life = { over: false, closing, whenOver: whenOver as WhenOver<unknown> }
  }

  static hasSignal(principal: unknown): boolean {
    return OwnPrincipal.#made(principal) && principal.#life?.opened !== undefined && !principal.#life.over
  }

  static permits(principal: Principal, scope: string, resources: Asked | undefined): boolean {
    return OwnPrincipal.#made(principal) ? principal.#allows(scope, resources) : principal.allows(scope, resources) === true
  }

  static grantedTo(principal: OwnPrincipal): ScopeSet {
    return principal.#granted
  }

  static #made(principal: unknown): principal is OwnPrincipal {
    return typeof principal === 'object' && principal !== null && #life in principal
  }
}

// A handler that reads the tenant of a principal without one must not get a value from `Object.prototype`.
cutOff(OwnPrincipal)

/** Creates a signal that never fires. */
export function neverFiring(): RequestSignal {
  return { signal: new AbortController().signal, detach: () => undefined }
}

/** Marks the request of this principal as over. After that, its signal never fires, even if it is first read later. */
export function endRequest(principal: unknown): void {
  OwnPrincipal.end(principal)
}

/** Ends the request of this principal when another object, such as its response, has ended. Listens for that only once the signal is read. */
export function endRequestWith<C>(principal: unknown, closing: C, whenOver: WhenOver<C>): void {
  OwnPrincipal.endWith(principal, closing, whenOver)
}

/** Returns whether the signal of this principal has been read and has not been dropped. */
export function hasSignal(principal: unknown): boolean {
  return OwnPrincipal.hasSignal(principal)
}

/**
 * Returns whether a principal covers a scope and all of these resources, even if its properties were overwritten. Other objects are checked through their own
 * `allows`.
 */
export function permits(principal: Principal, scope: string, resources?: Asked): boolean {
  return OwnPrincipal.permits(principal, scope, resources)
}

/** The principal that `verify` returns. */
export class TokenPrincipal extends OwnPrincipal implements Principal {
  readonly kind = 'token'
  readonly tokenId: string
  readonly name: string
  declare readonly tenantId?: string
  declare readonly ownerId?: string
  readonly scopes: readonly string[]
  declare readonly resources?: Resources
  declare readonly metadata?: JsonObject
  readonly #entry: Entry
  readonly #signalOf: SignalOf

  constructor(entry: Entry, granted: ScopeSet, resources: Resources | undefined, signalOf: SignalOf) {
    super(granted, resources)
    this.tokenId = entry.id
    this.name = entry.name
    if (entry.tenantId !== undefined) this.tenantId = entry.tenantId
    if (entry.ownerId !== undefined) this.ownerId = entry.ownerId
    this.scopes = granted.names
    if (resources !== undefined) this.resources = resources
    const { metadata } = entry.parts
    if (metadata !== undefined) this.metadata = metadata
    this.#entry = entry
    this.#signalOf = signalOf
  }

  get signal(): AbortSignal {
    return OwnPrincipal.signalFor(this, () => this.#signalOf(this.#entry))
  }

  /** Returns the entry behind a principal that this library made; `undefined` for anything else. */
  static entryOf(principal: unknown): Entry | undefined {
    return TokenPrincipal.#made(principal) ? principal.#entry : undefined
  }

  /** Returns the holder of the token behind a principal that the instance with these signals made; `undefined` for anything else. */
  static holderFor(principal: unknown, signalOf: SignalOf): TokenHolder | undefined {
    if (!TokenPrincipal.#isFrom(principal, signalOf)) return undefined
    const entry = principal.#entry
    const { id: tokenId, tenantId } = entry
    const granted = OwnPrincipal.grantedTo(principal)
    return { principal, tokenId, tenantId, rootId: rootIdOf(entry), endsWith: endsWith(entry), granted }
  }

  /** Returns the entry behind a principal that the instance with these signals made; `undefined` for anything else. */
  static entryFor(principal: unknown, signalOf: SignalOf): Entry | undefined {
    return TokenPrincipal.#isFrom(principal, signalOf) ? principal.#entry : undefined
  }

  static #isFrom(principal: unknown, signalOf: SignalOf): principal is TokenPrincipal {
    return TokenPrincipal.#made(principal) && principal.#signalOf === signalOf
  }

  static #made(principal: unknown): principal is TokenPrincipal {
    return typeof principal === 'object' && principal !== null && #entry in principal
  }
}

/** The identity of a principal that was not made from a stored record. */
export type Bearer = {
  readonly kind: Exclude<Principal['kind'], 'token'>
  readonly tokenId?: string | undefined
  readonly name: string
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly resources?: Resources | undefined
  readonly metadata?: JsonObject | undefined
}

/** A principal that was not made from a stored record. */
export abstract class GrantedPrincipal extends OwnPrincipal implements Principal {
  readonly kind: Bearer['kind']
  declare readonly tokenId?: string
  readonly name: string
  declare readonly tenantId?: string
  declare readonly ownerId?: string
  readonly scopes: readonly string[]
  declare readonly resources?: Resources
  declare readonly metadata?: JsonObject
  readonly #bearer: Bearer

  constructor(bearer: Bearer, granted: ScopeSet) {
    const own = ownFields(bearer)
    const { kind, tokenId, name, tenantId, ownerId, resources, metadata } = own
    super(granted, resources)
    this.kind = kind
    if (tokenId !== undefined) this.tokenId = tokenId
    this.name = name
    if (tenantId !== undefined) this.tenantId = tenantId
    if (ownerId !== undefined) this.ownerId = ownerId
    this.scopes = granted.names
    if (resources !== undefined) this.resources = resources
    if (metadata !== undefined) this.metadata = metadata
    this.#bearer = own
  }

  abstract get signal(): AbortSignal

  /** Returns the identity of such a principal, even if its properties were overwritten; `undefined` for anything else. */
  static bearerOf(principal: unknown): Bearer | undefined {
    return typeof principal === 'object' && principal !== null && #bearer in principal ? principal.#bearer : undefined
  }
}

/** Returns the identity that a principal names, even if its properties were overwritten. The properties of other objects are returned unchanged. */
export function namedBy(principal: Principal): Pick<Bearer, 'tokenId' | 'tenantId' | 'ownerId'> & { readonly kind: Principal['kind'] } {
  const entry = TokenPrincipal.entryOf(principal)
  return entry === undefined
    ? (GrantedPrincipal.bearerOf(principal) ?? principal)
    : { kind: 'token', tokenId: entry.id, tenantId: entry.tenantId, ownerId: entry.ownerId }
}
