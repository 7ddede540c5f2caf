import { StoreUnavailableError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { TokenFilter } from '../store/port.js'
import type { Report } from '../store/reporter.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
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
  /** Tells of events of the host's transactions that got their place on the way. */
  readonly tellPlaced: (events: readonly StoredEvent[]) => void
  /** Tokens that match may have changed. */
  readonly changed: (filter: TokenFilter) => void
}

/**
 * Revokes whole lines of rotations, one after the other, without holding up the request that gave rise to it.
 *
 * A revocation is one transaction: it ends every token of the line, also a successor that is made at the same moment, or none of them. What fails is
 * tried again by the next flush. A second one, here or on another node, finds nothing left to end and writes nothing.
 */
export class LineageRevoker {
  readonly #options: LineageOptions
  readonly #waiting: Map<string, Reuse> = new Map()
  readonly #revoked: Set<string> = new Set()
  #running: Promise<void> | undefined
  #toldFull = false

  constructor(options: LineageOptions) {
    this.#options = options
  }

  /** Is there a line that could not be revoked yet? */
  get pending(): boolean {
    return this.#waiting.size > 0
  }

  /** Revokes this line, unless that was done before: a line whose tokens have all ended gets no new ones. */
  note(rootId: string, tokenId: string, at: number): void {
    if (this.#revoked.has(rootId) || this.#waiting.has(rootId)) return
    if (this.#waiting.size < MAX_WAITING) this.#waiting.set(rootId, { tokenId, at })
    else if (!this.#toldFull) {
      this.#toldFull = true
      const message = 'lines of rotations are not revoked although an old token was used: too many wait for the store'
      this.#options.report('flush', new StoreUnavailableError(message))
    }
    this.flush().catch(() => undefined)
  }

  /**
   * Resolves when every line that was noted before this call is revoked.
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
    const [failure] = await tryEach([...this.#waiting], async ([rootId, reuse]) => {
      // Behind the others, until it is done: they do not wait for one that the store does not take.
      this.#waiting.delete(rootId)
      this.#waiting.set(rootId, reuse)
      await this.#revoke(rootId, reuse)
      if (this.#revoked.size >= MAX_REMEMBERED) this.#revoked.clear()
      this.#revoked.add(rootId)
      this.#waiting.delete(rootId)
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
