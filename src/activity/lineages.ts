import { Shares } from '../cache/bounded-map.js'
import { StoreUnavailableError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import type { Filtered } from '../store/compile-filter.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { TokenFilter } from '../store/port.js'
import type { Report } from '../store/reporter.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import { tryEach } from './parts.js'

const MAX_WAITING = 1_000
const MAX_REMEMBERED = 10_000

type Reuse = { readonly tokenId: string; readonly tenantId: string | undefined; readonly at: number }

/** Dependencies of the revoker. */
export type LineageOptions = {
  readonly store: GuardedStore
  readonly prefix: string
  readonly deadlineMs: number
  readonly report: Report
  readonly announce: (events: readonly StoredEvent[]) => void
  /** Reports events of the host's transactions that were placed along the way. */
  readonly tellPlaced: (events: readonly StoredEvent[]) => void
  /** Called when tokens that match may have changed. */
  readonly changed: (filter: TokenFilter) => void
}

/**
 * Revokes whole lineages, one after the other, without delaying the request that caused it.
 *
 * A revocation is one transaction: it ends every token of the lineage, including a successor created at the same moment, or none of them. The next flush
 * retries a failure. A second revocation, here or on another node, finds nothing left to end and writes nothing.
 */
export class LineageRevoker {
  readonly #options: LineageOptions
  readonly #waiting: Shares<Reuse> = new Shares()
  readonly #revoked: Set<string> = new Set()
  #running: Promise<void> | undefined
  #toldFull = false

  constructor(options: LineageOptions) {
    this.#options = options
  }

  /** Returns whether a lineage is still waiting to be revoked. */
  get pending(): boolean {
    return this.#waiting.size > 0
  }

  /**
   * Revokes this lineage, unless that was done before: a lineage whose tokens have all ended gets no new ones. If too many are waiting, the last one of the
   * tenant with the most waiting is dropped, so that no tenant blocks another's revocations.
   */
  note(rootId: string, { id, tenantId }: Filtered, at: number): void {
    if (this.#revoked.has(rootId) || this.#waiting.has(rootId)) return
    this.#waiting.put(rootId, shareOf(tenantId), { tokenId: id, tenantId, at })
    if (this.#waiting.size > MAX_WAITING) {
      this.#waiting.remove(this.#waiting.largest().at(-1) ?? rootId)
      this.#tellFull()
    }
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
    const [failure] = await tryEach([...this.#waiting.inTurn()], async ([rootId, reuse]) => {
      // Moves to the back of the queue until it succeeds: the others do not wait for one that the store rejects.
      this.#waiting.put(rootId, shareOf(reuse.tenantId), reuse)
      await this.#revoke(rootId, reuse)
      if (this.#revoked.size >= MAX_REMEMBERED) this.#revoked.clear()
      this.#revoked.add(rootId)
      this.#waiting.remove(rootId)
      this.#toldFull = false
    })
    if (failure !== undefined) throw failure[1]
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

/** Each tenant has its own share, and so do tokens without a tenant. */
function shareOf(tenantId: string | undefined): string {
  return tenantId === undefined ? '' : `tenant ${tenantId}`
}
