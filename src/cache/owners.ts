import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise, Resources } from '../model/json.js'
import { ownFields } from '../model/own-fields.js'
import type { Catalogue, ScopeSet } from '../policy/catalogue.js'
import { supplied } from '../policy/option-reader.js'
import { refuseLostLimits } from '../policy/read-input.js'
import { readResources } from '../policy/resource.js'
import { Allowance, type CallSite, callOut, isThenable } from '../store/deadline.js'
import type { OwnerChange } from '../store/port.js'
import type { Report } from '../store/reporter.js'
import { BoundedMap } from './bounded-map.js'

const MAX_OWNERS = 20_000
const MAX_TENANTS_PER_OWNER = 100

type Hook = (owner: { readonly ownerId: string; readonly tenantId?: string }) => unknown
type Known = { readonly owned: Owned | null; readonly until: number }
/** An owner's permissions in one tenant, known or being requested. */
type Slot = { known: Known | undefined; asking: Asking | undefined }
/** A call to the hook that other verifications may join. */
type Asking = { readonly began: number; readonly answer: Promise<Owned | null> }
type Bucket = { visited: boolean; readonly byTenant: Map<string | undefined, Slot> }

/** Current permissions of an owner. */
export type Owned = { readonly scopes: ScopeSet; readonly resources: Resources | undefined }

/** Current permissions of owners, from the `owner` option. They are cached briefly where the options allow it. */
export class Owners {
  readonly #hook: Hook
  readonly #catalogue: Catalogue
  readonly #site: CallSite
  readonly #stalenessMs: number
  /** How long a call can be joined by other verifications after it begins. If it hangs, later ones must not wait for it until its deadline. */
  readonly #joinableMs: number
  readonly #monotonic: () => number
  readonly #fresh: () => boolean
  readonly #owners: BoundedMap<Bucket> = new BoundedMap(MAX_OWNERS)

  constructor(
    hook: Hook,
    options: {
      catalogue: Catalogue
      deadlineMs: number
      stalenessMs: number
      monotonic: () => number
      fresh: () => boolean
      report: Report
    },
  ) {
    this.#hook = hook
    this.#catalogue = options.catalogue
    this.#site = { what: 'the owner callback', where: 'owner', deadlineMs: options.deadlineMs, report: options.report }
    this.#stalenessMs = options.stalenessMs
    this.#joinableMs = Math.min(options.stalenessMs, options.deadlineMs / 4)
    this.#monotonic = options.monotonic
    this.#fresh = options.fresh
  }

  /**
   * Returns the owner's permissions, or `null` if the owner is gone. `leftMs` is the part of the deadline that earlier calls left.
   *
   * @throws StoreUnavailableError `store_unavailable`, if the hook throws, hangs, or returns anything else
   */
  of(ownerId: string, tenantId: string | undefined, leftMs?: number): MaybePromise<Owned | null> {
    if (this.#stalenessMs === 0) return this.#ask(ownerId, tenantId, leftMs)
    const slot = this.#slot(ownerId, tenantId)
    const { known } = slot
    const now = this.#monotonic()
    const isFresh = this.#fresh()
    if (known !== undefined && now < known.until && isFresh) return known.owned
    const { asking } = slot
    if (asking !== undefined && now < asking.began + this.#joinableMs && isFresh) return this.#join(asking, leftMs)
    const remember = (owned: Owned | null): Owned | null => {
      const until = now + this.#stalenessMs
      // A later call may have been answered first.
      if (slot.known === undefined || slot.known.until < until) slot.known = { owned, until }
      return owned
    }
    // Others may join, so the call has the whole deadline, even if this verification has less time left.
    const answer = this.#ask(ownerId, tenantId, undefined)
    if (!isThenable(answer)) return remember(answer)
    const begun: Asking = { began: now, answer: (answer as Promise<Owned | null>).then(remember) }
    slot.asking = begun
    const end = (): void => {
      if (slot.asking === begun) slot.asking = undefined
    }
    begun.answer.then(end, end)
    return this.#join(begun, leftMs)
  }

  #join({ answer }: Asking, leftMs: number | undefined): Promise<Owned | null> {
    const { what, deadlineMs } = this.#site
    return new Allowance({ monotonic: this.#monotonic, deadlineMs: leftMs ?? deadlineMs }).join(what, this.#site, answer)
  }

  /**
   * Forgets the known permissions of this owner in this tenant, or in all tenants if none is passed. Answers that are still pending are stored where they
   * are no longer read.
   */
  changed(owner: OwnerChange): void {
    const { ownerId, tenantId } = ownFields(owner)
    if (tenantId === undefined) {
      this.#owners.delete(ownerId)
      return
    }
    const byTenant = this.#owners.get(ownerId)?.byTenant
    byTenant?.delete(tenantId)
    // The host may derive an owner's global permissions from those in each tenant.
    byTenant?.delete(undefined)
  }

  everythingChanged(): void {
    this.#owners.clear()
  }

  #slot(ownerId: string, tenantId: string | undefined): Slot {
    let bucket = this.#owners.get(ownerId)
    if (bucket === undefined) {
      bucket = { visited: false, byTenant: new Map() }
      this.#owners.set(ownerId, bucket)
    }
    const current = bucket.byTenant.get(tenantId)
    if (current !== undefined) return current
    if (bucket.byTenant.size >= MAX_TENANTS_PER_OWNER) bucket.byTenant.clear()
    const slot: Slot = { known: undefined, asking: undefined }
    bucket.byTenant.set(tenantId, slot)
    return slot
  }

  #ask(ownerId: string, tenantId: string | undefined, leftMs: number | undefined): MaybePromise<Owned | null> {
    const owner = ownFields(tenantId === undefined ? { ownerId } : { ownerId, tenantId })
    return callOut(
      leftMs === undefined ? this.#site : { ...this.#site, leftMs },
      () => this.#hook(owner),
      (answer) => this.#read(answer),
    )
  }

  // Only the exact shape is accepted, because a list instead of `{ scopes }` must not mean "no limit on resources".
  #read(answer: unknown): Owned | null {
    if (answer === null) return null
    if (typeof answer === 'object') {
      refuseLostLimits(answer, ['resources'], 'owner')
      const given: { readonly scopes?: unknown; readonly resources?: unknown } = answer
      const [scopes, resources] = [supplied(given, 'scopes'), supplied(given, 'resources')]
      if (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string')) {
        return {
          scopes: this.#catalogue.resolveFrom('the scopes of an owner', scopes),
          resources: resources === undefined ? undefined : readResources('resources', resources),
        }
      }
    }
    throw new StoreUnavailableError('the owner callback must return { scopes, resources? } or null')
  }
}
