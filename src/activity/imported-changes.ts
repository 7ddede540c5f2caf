import type { StoredEvent } from '../model/event.js'
import type { StoredToken } from '../model/record.js'
import type { GuardedStore } from '../store/guarded-store.js'
import { equalDigests } from '../token/compare.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import { aboutToken } from './about-token.js'
import { tryEach } from './parts.js'

const MAX_WAITING = 10_000

/** The slow hash that matched the credential of an imported token, and the digest to store in its place. */
type Proven = {
  readonly hash: string
  readonly digest: string
  readonly pepperId: string | undefined
}

/** Dependencies of these changes. */
export type ImportedChangesOptions = {
  readonly store: GuardedStore
  readonly clock: () => number
  readonly announce: (events: readonly StoredEvent[]) => void
  /** Called when this token may have changed. */
  readonly changed: (id: string) => void
}

/** Returns what to write: a digest in place of a slow hash, or the revocation of a token; `undefined` if there is nothing left to do. */
type Step = (stored: StoredToken, now: number) => Promise<{ readonly record: StoredToken; readonly event: StoredEvent } | undefined>

/**
 * Writes changes that verification found necessary for imported tokens, later and off the request path.
 *
 * A slow hash is replaced by our digest, and a token is revoked if its secret was also imported in another format and revoked there. A digest is remembered
 * until it is written, so that this node computes the slow hash of a token only once. Other changes in between, such as a revocation, are preserved, because
 * each step changes only its own fields in the current record.
 */
export class ImportedChanges {
  readonly #options: ImportedChangesOptions
  readonly #waiting: Map<string, Proven> = new Map()
  /** Maps the ID of each token to revoke to the ID of the revoked token that is the reason. */
  readonly #ending: Map<string, string> = new Map()

  constructor(options: ImportedChangesOptions) {
    this.#options = options
  }

  /** Whether there is anything left to write. */
  get pending(): boolean {
    return this.#waiting.size > 0 || this.#ending.size > 0
  }

  /** Returns whether this token, with this slow hash, was proven by a secret with this digest. */
  isProven(id: string, hash: string, digest: string): boolean {
    const proven = this.#waiting.get(id)
    return proven !== undefined && proven.hash === hash && equalDigests(proven.digest, digest)
  }

  /** Replaces a slow hash with the digest of the secret that matched it. */
  rehash(id: string, proven: Proven): void {
    if (this.#waiting.size < MAX_WAITING) this.#waiting.set(id, proven)
  }

  /** Revokes a token because another token with the same secret was revoked. */
  end(id: string, revokedId: string): void {
    if (this.#ending.size < MAX_WAITING) this.#ending.set(id, revokedId)
  }

  /** @throws StoreUnavailableError `store_unavailable`; the next flush tries again */
  async flush(): Promise<void> {
    const results = await Promise.allSettled([
      this.#write(this.#ending, (revokedId) => async (stored, now) => await this.#ended(stored, revokedId, now)),
      this.#write(this.#waiting, (proven) => async (stored, now) => rehashed(stored, proven, now)),
    ])
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  async #write<T>(waiting: Map<string, T>, stepOf: (item: T) => Step): Promise<void> {
    const [failure] = await tryEach([...waiting], async ([id, item]) => {
      // Moves to the back of the queue until it succeeds, so that the others do not wait for a change that the store rejects.
      waiting.delete(id)
      waiting.set(id, item)
      if (await this.#change(id, stepOf(item))) waiting.delete(id)
    })
    if (failure !== undefined) throw failure[1]
  }

  /** Returns `false` if the token was changed by someone else in the meantime. */
  async #change(id: string, step: Step): Promise<boolean> {
    const { store, clock, announce, changed } = this.#options
    const stored = await store.findOne(id)
    const next = stored && (await step(stored, clock()))
    // The token was removed, or another node did this already.
    if (stored === undefined || next === undefined) return true
    const { record, event } = next
    try {
      const result = await store.commit({ updates: [{ expectedVersion: stored.version, record }], events: [event] })
      if (result.ok) announce([event])
      return result.ok
    } finally {
      changed(id)
    }
  }

  async #ended(stored: StoredToken, revokedId: string, now: number): ReturnType<Step> {
    const revoked = await this.#options.store.findOne(revokedId)
    if (revoked?.revokedAt === undefined || stored.revokedAt !== undefined) return undefined
    const { rotationDueAt: _, ...rest } = stored
    const { revokedCode } = revoked
    const revocation = { revokedAt: now, revokedBy: 'system', ...(revokedCode !== undefined && { revokedCode }) }
    const after = { revokedAt: new Date(now).toISOString(), revokedBy: 'system', ...(revokedCode !== undefined && { revokedCode }) }
    return {
      record: { ...rest, ...revocation, version: stored.version + 1, updatedAt: now },
      event: { ...eventOf('token.revoked', stored, now), after, details: namedFor(stored, revoked) },
    }
  }
}

// An actor who sees one of the two tokens must not learn of the other if that token's tenant or creator is outside the actor's reach.
function namedFor(stored: StoredToken, revoked: StoredToken): NonNullable<StoredEvent['details']> {
  const areSeenTogether = stored.tenantId === revoked.tenantId && stored.createdBy === revoked.createdBy
  return areSeenTogether ? { sameSecretAs: revoked.id } : { sameSecretElsewhere: true }
}

function rehashed(stored: StoredToken, { hash, digest, pepperId }: Proven, now: number): Awaited<ReturnType<Step>> {
  if (stored.importedHash !== hash) return undefined
  const { importedHash: _, ...rest } = stored
  const record = { ...rest, digest, version: stored.version + 1, updatedAt: now, ...(pepperId !== undefined && { pepperId }) }
  return { record, event: { ...eventOf('token.updated', stored, now), details: { rehashed: true } } }
}

function eventOf(action: 'token.updated' | 'token.revoked', stored: StoredToken, at: number): StoredEvent {
  return { id: generateId(platformRandom), at, action, prefix: stored.prefix, actorId: 'system', ...aboutToken(stored) }
}
