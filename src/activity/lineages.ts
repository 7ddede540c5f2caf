import { StoreUnavailableError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import type { Filtered } from '../store/compile-filter.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { TokenFilter } from '../store/port.js'
import type { Report } from '../store/reporter.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import { FairQueue } from './fair-queue.js'
import { tryEach } from './parts.js'

const MAX_WAITING = 1_000
const MAX_REMEMBERED = 10_000

type Reuse = { readonly tokenId: string; readonly at: number }

/** Dependencies of the revoker. */
export type LineageOptions = {
  readonly store: GuardedStore
  readonly prefix: string
  readonly deadlineMs: number
  readonly report: Report
  readonly announce: (events: readonly StoredEvent[]) => void
  /** Reports events of the host's transactions that a revocation placed. */
  readonly tellPlaced: (events: readonly StoredEvent[]) => void
  /** Called when tokens that match may have changed. */
  readonly changed: (filter: TokenFilter) => void
}

/**
 * Revokes whole lineages, one after another, without delaying the request that caused it. Owners and tenants are served in turn, so none can crowd out
 * another.
 *
 * Each revocation is one transaction, which revokes every token in the lineage, including a successor created at the same moment, or none of them. The next
 * flush retries a failed revocation. A second revocation, here or on another node, finds nothing left to revoke and writes nothing.
 */
export class LineageRevoker {
  readonly #options: LineageOptions
  readonly #waiting: FairQueue<Reuse> = new FairQueue(MAX_WAITING, () => this.#tellFull())
  readonly #revoked: Set<string> = new Set()
  #running: Promise<void> | undefined
  /** Whether the order must be computed again. */
  #hasNew = false
  #toldFull = false

  constructor(options: LineageOptions) {
    this.#options = options
  }

  /** Returns whether a lineage is still waiting to be revoked. */
  get pending(): boolean {
    return this.#waiting.size > 0
  }

  /**
   * Revokes this lineage, unless that was done before, because a lineage whose tokens have all ended gets no new ones. If too many lineages are waiting, those
   * of the owners and tenants with the most are dropped.
   */
  note(rootId: string, { id, tenantId, ownerId, createdBy }: Filtered, at: number): void {
    if (this.#revoked.has(rootId) || this.#waiting.has(rootId)) return
    const from = JSON.stringify([tenantId, ownerId ?? createdBy])
    this.#waiting.put(rootId, { from, about: tenantId ?? '' }, { tokenId: id, at })
    this.#hasNew = true
    this.flush().catch(() => undefined)
  }

  #tellFull(): void {
    if (!this.#toldFull) {
      this.#toldFull = true
      const message =
        'lineages of rotated tokens were not revoked after an old token was used: too many revocations are waiting for the store'
      this.#options.report('flush', new StoreUnavailableError(message))
    }
  }

  /**
   * Resolves when every lineage that was recorded before this call is revoked.
   *
   * @throws StoreUnavailableError `store_unavailable`; the next flush tries again
   */
  flush(): Promise<void> {
    this.#running ??= this.#revokeWaiting().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #revokeWaiting(): Promise<void> {
    const [failure] = await tryEach(this.#once(), async ([rootId, reuse]) => {
      await this.#revoke(rootId, reuse)
      if (this.#revoked.size >= MAX_REMEMBERED) this.#revoked.clear()
      this.#revoked.add(rootId)
      this.#waiting.remove(rootId)
      this.#toldFull = false
    })
    if (failure !== undefined) throw failure[1]
  }

  // Parties that arrive in the meantime are served before the remaining entries of parties that have many.
  *#once(): Generator<readonly [rootId: string, reuse: Reuse]> {
    const tried = new Set<string>()
    let left = this.#waiting.inTurn()[Symbol.iterator]()
    for (;;) {
      if (this.#hasNew) left = this.#waiting.inTurn()[Symbol.iterator]()
      this.#hasNew = false
      const { value: next } = left.next()
      if (next === undefined) return
      const [rootId, reuse, parties] = next
      if (tried.has(rootId) || !this.#waiting.has(rootId)) continue
      tried.add(rootId)
      // Moves to the back of the queue until it succeeds, so that the others do not wait for a lineage that the store rejects.
      this.#waiting.put(rootId, parties, reuse)
      yield [rootId, reuse]
    }
  }

  async #revoke(rootId: string, { tokenId, at }: Reuse): Promise<void> {
    const { store, prefix, deadlineMs, announce, tellPlaced, changed } = this.#options
    const filter = { prefix, rootId }
    const bulkId = generateId(platformRandom)
    const event: StoredEvent = {
      id: generateId(platformRandom),
      at,
      action: 'tokens.revoked',
      prefix,
      actorId: 'system',
      bulkId,
      details: { filter: { rootId }, reusedId: tokenId },
    }
    const stamp = { revokedAt: at, revokedBy: 'system', revokedCode: 'reused', bulkId } as const
    try {
      const { events, placed = [] } = await store.revokeWhere(filter, stamp, event, deadlineMs)
      tellPlaced(placed)
      announce(events)
    } finally {
      changed(filter)
    }
  }
}
