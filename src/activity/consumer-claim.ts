import { ConflictError } from '../errors.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { ConsumerState } from '../store/port.js'
import { SharedRead } from './shared-read.js'

/** A claim that has not been renewed for this long may be taken over; it is renewed three times as often. */
const CLAIM_MS = 6_000
/** The same period for an idle consumer. In its row, the holder has a suffix. */
const QUIET_CLAIM_MS = 30_000
const QUIET = ' quiet'
/** The holder stops trusting its claim this much earlier, because the clocks of two nodes differ slightly in speed, and a very short sleep goes unnoticed. */
const SPARE_MS = 200
/** The maximum number of consumer names per prefix. Each is a row that every waiting node reads once a second. */
const MOST_CONSUMERS = 200
/** Consumer names for webhook endpoints start with this. */
export const WEBHOOK = 'webhook:'

/**
 * One node's claim on a consumer.
 *
 * Only the holder reads events and advances the position. The wall clock is not involved. The store keeps a version, which each write by the holder increments.
 * Another node takes over once its own monotonic clock shows that the version has not changed for the whole duration of the claim. The holder trusts its claim
 * for no longer than that, counted from before its last write. So the holder has stopped before another node begins, and the store refuses any later write,
 * because the version has changed. A waiting node may therefore use slightly stale rows: either its write is refused, or nothing has changed since.
 *
 * A monotonic clock may stop while the machine sleeps. For a node that is waiting at the time, this only makes the wait longer; the holder also counts the time
 * spent asleep.
 */
export class ConsumerClaim {
  readonly #store: GuardedStore
  readonly #of: { readonly prefix: string; readonly name: string }
  readonly #holder: string
  readonly #from: 'start' | 'now'
  readonly #monotonic: () => number
  readonly #elapsed: () => number
  #mine: ConsumerState | undefined
  #until = Number.NEGATIVE_INFINITY
  #renewAt = Number.NEGATIVE_INFINITY
  readonly #rows: SharedRead<readonly ConsumerState[]>
  #waits = false
  #quiet = false
  #rival: { readonly version: number; readonly since: number } | undefined
  #position = 0
  #hadIt = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(
    store: GuardedStore,
    options: {
      readonly prefix: string
      readonly name: string
      readonly holder: string
      readonly from: 'start' | 'now'
      readonly monotonic: () => number
      /** Also counts the time during which the machine was asleep. */
      readonly elapsed: () => number
      /** Shared by the waiting consumers of this node; if absent, the claim reads the store itself. */
      readonly rows?: SharedRead<readonly ConsumerState[]>
    },
  ) {
    this.#store = store
    this.#of = { prefix: options.prefix, name: options.name }
    this.#holder = options.holder
    this.#from = options.from
    this.#monotonic = options.monotonic
    this.#elapsed = options.elapsed
    this.#rows = options.rows ?? new SharedRead(() => store.consumers(options.prefix), options.monotonic)
  }

  /** The `seq` of the last event that was handled. */
  get position(): number {
    return this.#position
  }

  get held(): boolean {
    return this.#mine !== undefined && this.#elapsed() < this.#until
  }

  /** Takes or renews the claim when due. While idle, the claim lasts longer and is renewed less often. Returns whether this node may read now. */
  async hold(quiet = false): Promise<boolean> {
    this.#quiet = quiet
    if (this.held && this.#elapsed() < this.#renewAt) return true
    return await this.#inTurn(async () => {
      try {
        // A save may have succeeded even though its response was lost; a read shows whether it did.
        return (this.held && (await this.#write())) || (await this.#take())
      } catch (error) {
        if (this.held) return true
        throw error
      }
    })
  }

  /** Marks an event as handled. */
  moveTo(seq: number): void {
    this.#position = Math.max(this.#position, seq)
  }

  /** Sets the position. Unlike the position of a consumer, it may also move backward. */
  setTo(position: number): void {
    this.#position = position
  }

  /** Writes the position, which also renews the claim. Returns whether this node still holds it. */
  async save(): Promise<boolean> {
    return await this.#inTurn(() => this.#write())
  }

  /** Writes the position and releases the consumer to the next node that requests it. */
  async release(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#mine === undefined || !this.held) return
      const { holder: _, ...rest } = this.#mine
      this.#mine = undefined
      await this.#store.saveConsumer({ ...rest, version: rest.version + 1, position: this.#position })
    })
  }

  // A renewal during a handler call must not race with the saves around it.
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => undefined)
    return mine
  }

  async #take(): Promise<boolean> {
    this.#mine = undefined
    const rows = await (this.#waits ? this.#rows.recent() : this.#rows.now())
    const found = rows.find(({ name }) => name === this.#of.name)
    const holder = found?.holder?.replace(QUIET, '')
    this.#waits = found !== undefined && holder !== undefined && holder !== this.#holder && this.#isAlive(found)
    if (this.#waits) return false
    // If no other node intervened, this node's progress counts even if the response to its last save was lost.
    if (found === undefined) await this.#begin(rows)
    else if (holder !== this.#holder) this.#position = found.position
    else this.#position = Math.max(this.#position, found.position)
    return await this.#save((found?.version ?? 0) + 1)
  }

  // If the row was removed while this process was suspended, continue from the old position instead of starting over.
  async #begin(rows: readonly ConsumerState[]): Promise<void> {
    if (!isOwnRow(this.#of) && rows.filter((row) => !isOwnRow(row)).length >= MOST_CONSUMERS) {
      throw new ConflictError(
        'conflict',
        `"${this.#of.name}" cannot start: there are already ${MOST_CONSUMERS} consumers; forget one that no longer runs`,
      )
    }
    if (!this.#hadIt) this.#position = await this.#beginning()
  }

  #isAlive({ version, holder }: ConsumerState): boolean {
    const now = this.#monotonic()
    if (this.#rival?.version !== version) this.#rival = { version, since: now }
    return now - this.#rival.since < claimMs(holder)
  }

  async #beginning(): Promise<number> {
    if (this.#from === 'start') return 0
    const [newest] = await this.#store.events({ prefix: this.#of.prefix, limit: 1 })
    return newest?.seq ?? 0
  }

  async #write(): Promise<boolean> {
    return this.#mine !== undefined && this.held && (await this.#save(this.#mine.version + 1))
  }

  async #save(version: number): Promise<boolean> {
    const holder = this.#quiet ? this.#holder + QUIET : this.#holder
    const state = { ...this.#of, version, position: this.#position, holder }
    const began = this.#elapsed()
    const written = await this.#store.saveConsumer(state)
    this.#mine = written ? state : undefined
    if (written) {
      this.#hadIt = true
      this.#until = began + claimMs(holder) - SPARE_MS
      this.#renewAt = began + claimMs(holder) / 3
    }
    // The machine may have slept while the write was under way.
    return this.held
  }
}

/** Returns how long a claim is valid without being renewed. */
export function claimMs(holder: string | undefined): number {
  return holder?.endsWith(QUIET) === true ? QUIET_CLAIM_MS : CLAIM_MS
}

/** Returns whether a webhook endpoint reads events under this name. Host consumers have other names. */
export function isWebhook(name: string): boolean {
  return name.startsWith(WEBHOOK)
}

/** Returns whether this row belongs to latchkey's internal work rather than to a consumer. No consumer has such a name. */
export function isOwnRow({ name }: Pick<ConsumerState, 'name'>): boolean {
  return name.startsWith('.')
}
