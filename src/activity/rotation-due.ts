import type { StoredEvent } from '../model/event.js'
import type { ListedToken } from '../model/record.js'
import type { Filtered } from '../store/compile-filter.js'
import type { GuardedStore } from '../store/guarded-store.js'
import { deriveId } from '../token/derive-id.js'
import { aboutToken } from './about-token.js'

const MAX_REMEMBERED = 10_000
const PAGE = 100

type Due = Filtered & Pick<ListedToken, 'rotationDueAt'>

/**
 * Says once, in the audit and to `onEvent`, that a token's rotation is due.
 *
 * The event's id is derived from the token and the due instant, so that of many nodes exactly one writes it.
 */
export class RotationNotices {
  readonly #store: GuardedStore
  readonly #prefix: string
  readonly #announce: (events: readonly StoredEvent[]) => void
  readonly #recorded: Set<string> = new Set()
  readonly #failed: Set<string> = new Set()

  constructor(store: GuardedStore, prefix: string, announce: (events: readonly StoredEvent[]) => void) {
    this.#store = store
    this.#prefix = prefix
    this.#announce = announce
  }

  /** Looks for tokens that have become due by `now`. */
  async sweep(now: number): Promise<void> {
    for (const key of this.#failed) this.#recorded.delete(key)
    this.#failed.clear()
    let after: ListedToken | undefined
    do {
      const due: readonly ListedToken[] = await this.#store.list({
        prefix: this.#prefix,
        rotationDue: true,
        now,
        limit: PAGE,
        ...(after !== undefined && { after: { createdAt: after.createdAt, id: after.id } }),
      })
      for (const token of due) await this.record(token, now)
      after = due.length === PAGE ? due.at(-1) : undefined
    } while (after !== undefined)
  }

  /** Writes the event of one due token, unless it stands already. */
  async record(token: Due, now: number): Promise<void> {
    const key = `${token.id} ${token.rotationDueAt}`
    if (this.#recorded.has(key)) return
    if (this.#recorded.size >= MAX_REMEMBERED) {
      this.#recorded.clear()
      this.#failed.clear()
    }
    this.#recorded.add(key)
    try {
      const event = this.#event(token, now)
      const result = await this.#store.commit({ events: [event] })
      if (result.ok) this.#announce([event])
    } catch (error) {
      // Not again with each use while the store is away: the next sweep tries once more.
      this.#failed.add(key)
      throw error
    }
  }

  #event(token: Due, now: number): StoredEvent {
    return {
      id: deriveId(['rotation_due', this.#prefix, token.id, String(token.rotationDueAt)]),
      at: now,
      action: 'token.rotation_due',
      prefix: this.#prefix,
      actorId: 'system',
      ...aboutToken(token),
    }
  }
}
