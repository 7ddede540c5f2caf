import { bytesToHex } from '../../audit/hash.js'
import { StoreUnavailableError } from '../../errors.js'
import type { FeedPage, NodeLease, TokenStore } from '../../store/port.js'
import { platformRandom } from '../../token/random.js'
import type { RelayClock } from './clock.js'
import type { Answer, Ask } from './messages.js'

/** How long to wait for an answer before querying the store, plus a random delay of up to `SPREAD_MS`. A reader that died has been replaced by then. */
const PATIENCE_MS = 1_100
const SPREAD_MS = 300
const MAX_PENDING = 1_000
/** A lease renewed in the store this recently may be renewed again without waiting, because it stays valid much longer. */
const RENEWED_MS = 20_000
const MAX_NODES = 1_000

type Pending = {
  readonly ask: Ask
  /** No caller waits for this request, so the store is not queried if the request gets no answer. */
  readonly aside: boolean
  readonly cancel: () => void
  resolve(page: FeedPage): void
  reject(error: unknown): void
}

const NOTHING: FeedPage = { cursor: '', ids: [], owners: [], bulk: [], everything: false, more: false }

/**
 * The unanswered requests of this node. Each has its own random nonce that only its answer repeats, so late or unrelated answers are ignored.
 */
export class Asks {
  readonly #store: TokenStore
  readonly #clock: RelayClock
  readonly #send: (ask: Ask) => void
  readonly #unanswered: () => void
  readonly #pending: Map<string, Pending> = new Map()
  /** For each node, the start of its last lease renewal that is known to be in the store. */
  readonly #renewed: Map<string, number> = new Map()

  constructor(store: TokenStore, clock: RelayClock, send: (ask: Ask) => void, unanswered: () => void) {
    this.#store = store
    this.#clock = clock
    this.#send = send
    this.#unanswered = unanswered
  }

  /** Reads a page of the feed through the relay or, if that does not answer, from the store. In either case, the read begins after this call. */
  async page(after: string, limit: number): Promise<FeedPage> {
    if (this.#pending.size >= MAX_PENDING) return await this.#store.changes(after, limit)
    return await this.#ask({ kind: 'page', nonce: newNonce(), after, limit })
  }

  async renew(lease: NodeLease): Promise<void> {
    const began = this.#clock.now()
    const known = this.#renewed.get(lease.nodeId) ?? Number.NEGATIVE_INFINITY
    const aside = began - known < RENEWED_MS
    const renewing = this.#renew(lease, aside).then(() => this.#note(lease.nodeId, began))
    // If this renewal fails, the next renewal replaces it. It is awaited only if the last known renewal is too old.
    if (aside) renewing.catch(() => undefined)
    else await renewing
  }

  /** Replaces every renewal of a node's lease that waits here or at the reader. */
  release(lease: NodeLease): void {
    for (const { ask } of [...this.#pending.values()]) {
      if (ask.kind === 'lease' && ask.lease.nodeId === lease.nodeId) this.#take(ask.nonce)?.resolve(NOTHING)
    }
    this.#send({ kind: 'lease', nonce: newNonce(), lease })
  }

  async #renew(lease: NodeLease, aside: boolean): Promise<void> {
    if (this.#pending.size < MAX_PENDING) await this.#ask({ kind: 'lease', nonce: newNonce(), lease }, aside)
    else await this.#store.renewLease(lease)
  }

  answered(answer: Answer): void {
    const pending = this.#take(answer.nonce)
    if (pending === undefined) return
    if (answer.kind === 'alone') this.#askStore([pending])
    else if (answer.kind === 'renewed' && pending.ask.kind === 'lease') pending.resolve(NOTHING)
    else if (answer.kind === 'answer' && pending.ask.kind === 'page') pending.resolve(answer.page)
    else this.#askStore([pending])
  }

  /** Resends the requests, because another node is the reader now. */
  sendAgain(): void {
    for (const { ask } of this.#pending.values()) this.#send(ask)
  }

  stop(): void {
    for (const nonce of [...this.#pending.keys()]) this.#take(nonce)?.reject(new StoreUnavailableError('the store is closed'))
  }

  #ask(ask: Ask, aside = false): Promise<FeedPage> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(PATIENCE_MS + this.#clock.random() * SPREAD_MS, () => this.#giveUp(ask))
      this.#pending.set(ask.nonce, { ask, aside, cancel, resolve, reject })
      this.#send(ask)
    })
  }

  // All callers that made the same request in the meantime get the answer of this read, which begins after all of these requests.
  #giveUp(given: Ask): void {
    const same = [...this.#pending.values()].filter(({ ask }) => isSame(ask, given))
    for (const { ask } of same) this.#take(ask.nonce)
    this.#unanswered()
    for (const { reject } of same.filter(({ aside }) => aside)) reject(new StoreUnavailableError('the relay did not respond'))
    this.#askStore(same.filter(({ aside }) => !aside))
  }

  #askStore(all: readonly Pending[]): void {
    const [first] = all
    if (first === undefined) return
    const { ask } = first
    const asked = async (): Promise<FeedPage> => {
      if (ask.kind === 'page') return await this.#store.changes(ask.after, ask.limit)
      await this.#store.renewLease(ask.lease)
      return NOTHING
    }
    asked().then(
      (page) => {
        for (const { resolve } of all) resolve(page)
      },
      (error: unknown) => {
        for (const { reject } of all) reject(error)
      },
    )
  }

  #take(nonce: string): Pending | undefined {
    const pending = this.#pending.get(nonce)
    pending?.cancel()
    this.#pending.delete(nonce)
    return pending
  }

  #note(nodeId: string, began: number): void {
    if (this.#renewed.size >= MAX_NODES) this.#renewed.clear()
    this.#renewed.set(nodeId, Math.max(began, this.#renewed.get(nodeId) ?? began))
  }
}

function isSame(a: Ask, b: Ask): boolean {
  if (a.kind === 'page') return b.kind === 'page' && a.after === b.after && a.limit === b.limit
  return b.kind === 'lease' && a.lease.nodeId === b.lease.nodeId && a.lease.cursor === b.lease.cursor
}

function newNonce(): string {
  return bytesToHex(platformRandom(12))
}
