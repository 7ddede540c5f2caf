import type { Code } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import { ownFields } from '../model/own-fields.js'
import { CoalescedEvents, type CoalescingOptions, concernedBy, type Seen } from './coalesced-events.js'
import { FairQueue, type Parties } from './fair-queue.js'

const WINDOW_MS = 60_000
/** The maximum number of kinds of attempts that are tracked per actor and tenant in one window; further kinds are counted together. */
const KINDS = 8
/** The maximum number of pairs of an actor and a tenant that are tracked in one window. */
const MAX_ACTORS = 1000

/** A management call that was refused. */
export type Attempt = {
  readonly actorId: string
  /** The owner of the token or other credential that acted. Absent for people, whom `actorId` identifies. */
  readonly actorOwnerId?: string | undefined
  /** Distinguishes actors of different tenants that have the same ID. */
  readonly from: string
  /** The attempted verb or management API route. */
  readonly attempt: string
  readonly code: Code
  /** The part of the call that was refused. */
  readonly field?: string | undefined
  /** The token and tenant involved, as far as the actor can see them; otherwise the actor's own tenant, if any. */
  readonly about: Pick<StoredEvent, 'tokenId' | 'tenantId' | 'ownerId' | 'createdBy'>
  /** The ID that the actor named but cannot see. Kept in the details: otherwise any actor could write into the trail of any token. */
  readonly outOfReach?: string | undefined
  readonly ip?: string | undefined
}

/**
 * Writes refused management calls to the audit log: one event a minute for each kind, and no more than nine per actor and tenant.
 *
 * Two tenants may have people with the same ID, so the attempts of each tenant are tracked and recorded separately. No actor or tenant can use up the space
 * of another.
 *
 * Requests do not wait for these writes, and a refusal remains in effect even if it cannot be recorded.
 */
export class Attempts {
  readonly #events: CoalescedEvents
  readonly #monotonic: () => number
  #kinds: FairQueue<Set<string>> = new FairQueue(MAX_ACTORS)
  #windowEndsAt = 0

  constructor(options: Omit<CoalescingOptions, 'action' | 'others'>) {
    this.#events = new CoalescedEvents({
      ...options,
      action: 'management.refused',
      others: { actorId: 'system', details: { actors: 'various' } },
    })
    this.#monotonic = options.monotonic
  }

  get pending(): boolean {
    return this.#events.pending
  }

  note({ actorId, actorOwnerId, from, attempt, code, field, about: given, outOfReach, ip }: Attempt, now: number): void {
    const about = ownFields(given)
    const { tenantId } = about
    const kind = JSON.stringify([attempt, code, field, tenantId, about.tokenId, about.ownerId, outOfReach])
    if (this.#isToldApart(JSON.stringify([actorId, tenantId]), kind, { from, about: concernedBy({ actorId, ...about }) })) {
      const details = { attempt, ...(field !== undefined && { field }), ...(outOfReach !== undefined && { tokenId: outOfReach }) }
      this.#events.note(JSON.stringify([actorId, kind]), () => ({ actorId, ...about, code, details }), now, ip, from)
    } else {
      const scope = { ...(tenantId !== undefined && { tenantId }), ...(actorOwnerId !== undefined && { ownerId: actorOwnerId }) }
      const key = JSON.stringify([actorId, actorOwnerId, tenantId, 'various'])
      this.#events.note(key, () => ({ actorId, ...scope, details: { attempts: 'various' } }), now, ip, from)
    }
  }

  /** Changes the fields of the events that have not been written yet. */
  revise(change: (seen: Seen) => Seen): void {
    this.#events.revise(change)
  }

  /** @throws StoreUnavailableError `store_unavailable`; the next flush retries the same events */
  flush(now: number, all: boolean): Promise<void> {
    return this.#events.flush(now, all)
  }

  #isToldApart(who: string, kind: string, parties: Parties): boolean {
    const tick = this.#monotonic()
    if (tick >= this.#windowEndsAt) {
      this.#windowEndsAt = tick + WINDOW_MS
      this.#kinds = new FairQueue(MAX_ACTORS)
    }
    const kinds = this.#kinds.get(who)
    if (kinds?.has(kind) === true) return true
    if (kinds !== undefined && kinds.size >= KINDS) return false
    if (kinds === undefined) this.#kinds.put(who, parties, new Set([kind]))
    else kinds.add(kind)
    return true
  }
}
