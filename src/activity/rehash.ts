import type { StoredEvent } from '../model/event.js'
import type { StoredToken } from '../model/record.js'
import type { GuardedStore } from '../store/guarded-store.js'
import { equalDigests } from '../token/compare.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import { aboutToken } from './about-token.js'
import { tryEach } from './parts.js'

const MAX_WAITING = 10_000

/** What proved an imported token by its slow hash, and what is to be kept in place of that hash. */
type Proven = {
  readonly hash: string
  readonly digest: string
  readonly pepperId: string | undefined
}

/** Dependencies of the rehasher. */
export type RehasherOptions = {
  readonly store: GuardedStore
  readonly clock: () => number
  readonly announce: (events: readonly StoredEvent[]) => void
  /** This token may have changed. */
  readonly changed: (id: string) => void
}

/**
 * Replaces the slow hash of an imported token by a digest of ours, some time after its first use, off the request's path.
 *
 * Until that is written, it remembers the digest, so that this node computes the slow hash of a token once. A change in between wins, such as a
 * revocation: nothing but the hash is ever replaced, and only in the record as it is by then.
 */
export class Rehasher {
  readonly #options: RehasherOptions
  readonly #waiting: Map<string, Proven> = new Map()

  constructor(options: RehasherOptions) {
    this.#options = options
  }

  /** Is there a hash that is not replaced yet? */
  get pending(): boolean {
    return this.#waiting.size > 0
  }

  /** Was this token, with this slow hash, proven by what has this digest? */
  isProven(id: string, hash: string, digest: string): boolean {
    const proven = this.#waiting.get(id)
    return proven !== undefined && proven.hash === hash && equalDigests(proven.digest, digest)
  }

  note(id: string, proven: Proven): void {
    if (this.#waiting.size < MAX_WAITING) this.#waiting.set(id, proven)
  }

  /** @throws StoreUnavailableError `store_unavailable`; the next flush tries again */
  async flush(): Promise<void> {
    const [failure] = await tryEach([...this.#waiting], async ([id, proven]) => {
      // Behind the others, until it is done: they do not wait for one that the store does not take.
      this.#waiting.delete(id)
      this.#waiting.set(id, proven)
      if (await this.#replace(id, proven)) this.#waiting.delete(id)
    })
    if (failure !== undefined) throw failure[1]
  }

  /** `false`: somebody else changed the token meanwhile. */
  async #replace(id: string, { hash, digest, pepperId }: Proven): Promise<boolean> {
    const { store, clock, announce, changed } = this.#options
    const stored = await store.findOne(id)
    // Removed, or replaced by another node.
    if (stored === undefined || stored.importedHash !== hash) return true
    const now = clock()
    const { importedHash: _, ...rest } = stored
    const record: StoredToken = {
      ...rest,
      digest,
      version: stored.version + 1,
      updatedAt: now,
      ...(pepperId !== undefined && { pepperId }),
    }
    const event: StoredEvent = {
      id: generateId(platformRandom),
      at: now,
      action: 'token.updated',
      prefix: stored.prefix,
      actorId: 'system',
      ...aboutToken(stored),
      details: { rehashed: true },
    }
    try {
      const result = await store.commit({ updates: [{ expectedVersion: stored.version, record }], events: [event] })
      if (result.ok) announce([event])
      return result.ok
    } finally {
      changed(id)
    }
  }
}
