import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise, Resources } from '../model/json.js'
import type { Catalogue, ScopeSet } from '../policy/catalogue.js'
import { readResources } from '../policy/resource.js'
import { callOut, isThenable } from '../store/deadline.js'
import { BoundedMap } from './bounded-map.js'

const MAX_OWNERS = 20_000
const MAX_TENANTS_PER_OWNER = 100

type Hook = (owner: { readonly ownerId: string; readonly tenantId?: string }) => unknown
type Known = { readonly owned: Owned | null; readonly until: number }
type Bucket = { visited: boolean; readonly byTenant: Map<string | undefined, Known> }

/** What an owner may do now. */
export type Owned = { readonly scopes: ScopeSet; readonly resources: Resources | undefined }

/** What owners may do now, by the option `owner`; known for a short while only where the options allow it. */
export class Owners {
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
   * The owner's permissions, or `null` when the owner is gone.
   *
   * @throws StoreUnavailableError `store_unavailable`, when the hook throws, hangs or answers anything else
   */
  of(ownerId: string, tenantId: string | undefined): MaybePromise<Owned | null> {
    if (this.#stalenessMs === 0) return this.#ask(ownerId, tenantId)
    const bucket = this.#bucket(ownerId)
    const known = bucket.byTenant.get(tenantId)
    const now = this.#monotonic()
    if (known !== undefined && now < known.until && this.#fresh()) return known.owned
    const answer = this.#ask(ownerId, tenantId)
    const remember = (owned: Owned | null): Owned | null => {
      if (bucket.byTenant.size >= MAX_TENANTS_PER_OWNER) bucket.byTenant.clear()
      bucket.byTenant.set(tenantId, { owned, until: now + this.#stalenessMs })
      return owned
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

  #ask(ownerId: string, tenantId: string | undefined): MaybePromise<Owned | null> {
    const owner = tenantId === undefined ? { ownerId } : { ownerId, tenantId }
    return callOut(
      'the owner callback',
      this.#deadlineMs,
      () => this.#hook(owner),
      (answer) => this.#read(answer),
    )
  }

  // Anything but the exact shape decides nothing: a list in place of `{ scopes }` must not become "no limit on resources".
  #read(answer: unknown): Owned | null {
    if (answer === null) return null
    if (typeof answer === 'object' && answer !== undefined && !Array.isArray(answer)) {
      const scopes: unknown = Reflect.get(answer, 'scopes')
      const resources: unknown = Reflect.get(answer, 'resources')
      if (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string')) {
        return {
          scopes: this.#catalogue.resolve(scopes),
          resources: resources === undefined ? undefined : readResources('resources', resources),
        }
      }
    }
    throw new StoreUnavailableError('the owner callback answered neither { scopes, resources? } nor null')
  }
}
