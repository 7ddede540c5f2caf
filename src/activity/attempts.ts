import type { Code } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import { CoalescedEvents, type CoalescingOptions } from './coalesced-events.js'

const WINDOW_MS = 60_000
/** Kinds of attempts that are told apart for one actor in one window; further ones are counted together. */
const KINDS = 8
/** Actors that are told apart in one window. */
const MAX_ACTORS = 1000

/** A management call that was refused. */
export type Attempt = {
  readonly actorId: string
  /** The verb, or the route of the management API, that was tried. */
  readonly attempt: string
  readonly code: Code
  /** Which part of the call was refused. */
  readonly field?: string | undefined
  /** Which token and tenant it was about, as far as the actor reaches; else the actor's own tenant, where it has one. */
  readonly about: Pick<StoredEvent, 'tokenId' | 'tenantId' | 'ownerId' | 'createdBy'>
  readonly ip?: string | undefined
}

/**
 * Puts refused management calls into the audit: one event a minute for each kind, and at most nine for one actor, whatever it tries.
 *
 * Nothing of it is on the request's path, and what was refused stays refused when it cannot be written.
 */
export class Attempts {
  readonly #events: CoalescedEvents
  readonly #monotonic: () => number
  readonly #kinds: Map<string, Set<string>> = new Map()
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

  note({ actorId, attempt, code, field, about, ip }: Attempt, now: number): void {
    const kind = JSON.stringify([attempt, code, field, about.tenantId, about.tokenId])
    if (this.#isToldApart(actorId, kind)) {
      const details = { attempt, ...(field !== undefined && { field }) }
      this.#events.note(JSON.stringify([actorId, kind]), () => ({ actorId, ...about, code, details }), now, ip)
    } else {
      const { tenantId } = about
      const scope = tenantId === undefined ? {} : { tenantId }
      this.#events.note(JSON.stringify([actorId]), () => ({ actorId, ...scope, details: { attempts: 'various' } }), now, ip)
    }
  }

  /** @throws StoreUnavailableError `store_unavailable`; the same events are tried again by the next flush */
  flush(now: number, all: boolean): Promise<void> {
    return this.#events.flush(now, all)
  }

  #isToldApart(actorId: string, kind: string): boolean {
    const tick = this.#monotonic()
    if (tick >= this.#windowEndsAt) {
      this.#windowEndsAt = tick + WINDOW_MS
      this.#kinds.clear()
    }
    const kinds = this.#kinds.get(actorId) ?? new Set()
    if (kinds.has(kind)) return true
    if (kinds.size >= KINDS || (kinds.size === 0 && this.#kinds.size >= MAX_ACTORS)) return false
    this.#kinds.set(actorId, kinds.add(kind))
    return true
  }
}
