import type { GuardedStore } from '../store/guarded-store.js'
import type { ConsumerState } from '../store/port.js'
import { SharedRead } from './shared-read.js'

/** A claim that was not renewed for so long may be taken over; it is renewed three times as often. */
const CLAIM_MS = 6_000
/** The same while there is nothing to do. The row says so, behind the holder. */
const QUIET_CLAIM_MS = 30_000
const QUIET = ' quiet'

/**
 * The claim of one node on a consumer: who holds it may read, and moves its position.
 *
 * No wall clock decides. The store keeps a version, which the holder moves on. Another node takes over once it has seen the same version for the
 * whole length of the claim on its own monotonic clock; the holder trusts its claim for that long from before its last move. So the holder has
 * given up before anybody else begins, and what it may still write then is refused by the store, since the version is another. For the same reason
 * a node that waits may go by rows that are a little old: what it then writes is refused, or nothing has changed since.
 */
export class ConsumerClaim {
  readonly #store: GuardedStore
  readonly #of: { readonly prefix: string; readonly name: string }
  readonly #holder: string
  readonly #from: 'start' | 'now'
  readonly #monotonic: () => number
  #mine: ConsumerState | undefined
  #until = Number.NEGATIVE_INFINITY
  #renewAt = Number.NEGATIVE_INFINITY
  readonly #rows: SharedRead<readonly ConsumerState[]>
  #waits = false
  #quiet = false
  #rival: { readonly version: number; readonly since: number } | undefined
  #position = 0
  #turn: Promise<unknown> = Promise.resolve()

  constructor(
    store: GuardedStore,
    options: {
      readonly prefix: string
      readonly name: string
      readonly holder: string
      readonly from: 'start' | 'now'
      readonly monotonic: () => number
      /** Shared by those of this node that wait; the claim reads for itself where there are none. */
      readonly rows?: SharedRead<readonly ConsumerState[]>
    },
  ) {
    this.#store = store
    this.#of = { prefix: options.prefix, name: options.name }
    this.#holder = options.holder
    this.#from = options.from
    this.#monotonic = options.monotonic
    this.#rows = options.rows ?? new SharedRead(() => store.consumers(options.prefix), options.monotonic)
  }

  /** The `seq` of the last event that was handled. */
  get position(): number {
    return this.#position
  }

  get held(): boolean {
    return this.#mine !== undefined && this.#monotonic() < this.#until
  }

  /** Takes or renews the claim where that is due: for longer, and so more rarely, where it is quiet. Answers whether this node may read now. */
  async hold(quiet = false): Promise<boolean> {
    this.#quiet = quiet
    if (this.held && this.#monotonic() < this.#renewAt) return true
    return await this.#inTurn(async () => {
      try {
        // A save may have been written though its answer was lost: reading tells.
        return (this.held && (await this.#write())) || (await this.#take())
      } catch (error) {
        if (this.held) return true
        throw error
      }
    })
  }

  /** An event was handled. */
  moveTo(seq: number): void {
    this.#position = Math.max(this.#position, seq)
  }

  /** The position of work that may also go back. */
  setTo(position: number): void {
    this.#position = position
  }

  /** Writes the position, and so renews the claim. Answers whether it is still this node's. */
  async save(): Promise<boolean> {
    return await this.#inTurn(() => this.#write())
  }

  /** Writes the position, and leaves the consumer to whoever asks next. */
  async release(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#mine === undefined) return
      const { holder: _, ...rest } = this.#mine
      this.#mine = undefined
      await this.#store.saveConsumer({ ...rest, version: rest.version + 1, position: this.#position })
    })
  }

  // A renewal while a handler works must not race with the saves around it.
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
    // What this node handled counts where nobody came in between, also when the answer to its last save was lost.
    if (found === undefined || holder !== this.#holder) this.#position = found?.position ?? (await this.#beginning())
    else this.#position = Math.max(this.#position, found.position)
    return await this.#save((found?.version ?? 0) + 1)
  }

  #isAlive({ version, holder }: ConsumerState): boolean {
    const now = this.#monotonic()
    if (this.#rival?.version !== version) this.#rival = { version, since: now }
    return now - this.#rival.since < lengthOf(holder)
  }

  async #beginning(): Promise<number> {
    if (this.#from === 'start') return 0
    const [newest] = await this.#store.events({ prefix: this.#of.prefix, limit: 1 })
    return newest?.seq ?? 0
  }

  async #write(): Promise<boolean> {
    return this.#mine !== undefined && (await this.#save(this.#mine.version + 1))
  }

  async #save(version: number): Promise<boolean> {
    const holder = this.#quiet ? this.#holder + QUIET : this.#holder
    const state = { ...this.#of, version, position: this.#position, holder }
    const began = this.#monotonic()
    const written = await this.#store.saveConsumer(state)
    this.#mine = written ? state : undefined
    if (written) {
      this.#until = began + lengthOf(holder)
      this.#renewAt = began + lengthOf(holder) / 3
    }
    return written
  }
}

function lengthOf(holder: string | undefined): number {
  return holder?.endsWith(QUIET) === true ? QUIET_CLAIM_MS : CLAIM_MS
}
