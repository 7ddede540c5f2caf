import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import type { Catalogue, ScopeSet } from '../policy/catalogue.js'
import { callOut, isThenable } from '../store/deadline.js'
import { BoundedMap } from './bounded-map.js'

const MAX_OWNERS = 20_000
const MAX_TENANTS_PER_OWNER = 100

type Hook = (owner: { readonly ownerId: string; readonly tenantId?: string }) => unknown
type Known = { readonly scopes: ScopeSet | null; readonly until: number }
type Bucket = { visited: boolean; readonly byTenant: Map<string | undefined, Known> }

/** What owners may do now, by the `ownerScopes` hook; known for a short while only where the options allow it. */
export class OwnerScopes {
  readonly #hook: Hook
  readonly #catalogue: Catalogue
  readonly #deadlineMs: number
  readonly #stalenessMs: number
  readonly #monotonic: () => number
  readonly #fresh: () => boolean
  readonly #owners: BoundedMap<Bucket> = new BoundedMap(MAX_OWNERS)

  constructor(
    hook: Hook,
    options: { catalogue: Catalogue; deadlineMs: number; stalenessMs: number; monotonic: () => number; fresh: () => boolean },
  ) {
    this.#hook = hook
    this.#catalogue = options.catalogue
    this.#deadlineMs = options.deadlineMs
    this.#stalenessMs = options.stalenessMs
    this.#monotonic = options.monotonic
    this.#fresh = options.fresh
  }

  /**
   * The owner's scopes, or `null` when the owner is gone.
   *
   * @throws StoreUnavailableError `store_unavailable`, when the hook throws, hangs or answers anything else
   */
  of(ownerId: string, tenantId: string | undefined): MaybePromise<ScopeSet | null> {
    if (this.#stalenessMs === 0) return this.#ask(ownerId, tenantId)
    const bucket = this.#bucket(ownerId)
    const known = bucket.byTenant.get(tenantId)
    const now = this.#monotonic()
    if (known !== undefined && now < known.until && this.#fresh()) return known.scopes
    const answer = this.#ask(ownerId, tenantId)
    const remember = (scopes: ScopeSet | null): ScopeSet | null => {
      if (bucket.byTenant.size >= MAX_TENANTS_PER_OWNER) bucket.byTenant.clear()
      bucket.byTenant.set(tenantId, { scopes, until: now + this.#stalenessMs })
      return scopes
    }
    return isThenable(answer) ? answer.then(remember) : remember(answer)
  }

  /** What was known, or is being asked, about this owner counts no more: late answers land in a bucket that nobody reads. */
  changed(ownerId: string): void {
    this.#owners.delete(ownerId)
  }

  everythingChanged(): void {
    this.#owners.clear()
  }

  #bucket(ownerId: string): Bucket {
    const known = this.#owners.get(ownerId)
    if (known !== undefined) return known
    const bucket: Bucket = { visited: false, byTenant: new Map() }
    this.#owners.set(ownerId, bucket)
    return bucket
  }

  #ask(ownerId: string, tenantId: string | undefined): MaybePromise<ScopeSet | null> {
    const owner = tenantId === undefined ? { ownerId } : { ownerId, tenantId }
    return callOut(
      'the ownerScopes hook',
      this.#deadlineMs,
      () => this.#hook(owner),
      (answer) => this.#read(answer),
    )
  }

  #read(answer: unknown): ScopeSet | null {
    if (answer === null) return null
    if (Array.isArray(answer) && answer.every((scope) => typeof scope === 'string')) return this.#catalogue.resolve(answer)
    throw new StoreUnavailableError('the ownerScopes hook answered neither a list of scopes nor null')
  }
}
