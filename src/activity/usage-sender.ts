import type { LastUse, UsageBatch } from '../model/usage.js'
import type { GuardedStore } from '../store/guarded-store.js'
import { Parts } from './parts.js'

/** Uses that are counted in one transaction. */
export type UsageSheet = Pick<UsageBatch, 'counts' | 'addresses' | 'lastUses'>

const EMPTY: UsageSheet = { counts: [], addresses: [], lastUses: [] }

type UsageSenderOptions = {
  readonly nodeId: () => string
  readonly now: () => number
  /** Reports uses that were dropped. */
  readonly drop: (sheet: UsageSheet, why: string, cause?: unknown) => void
}

/**
 * Numbers batches of uses and writes them one after another.
 *
 * A failed write is resent unchanged, under its own number, so that a store that did write it counts it only once. A number is reused only after an
 * empty batch has been sent under it: the store's answer to that shows whether the original was counted.
 */
export class UsageSender {
  readonly #store: GuardedStore
  readonly #options: UsageSenderOptions
  readonly #parts: Parts<UsageSheet>
  #seq = 0
  #open: UsageBatch | undefined
  /** Set if an empty batch failed and may have been written. */
  #unsure = false
  /** The number of batches written, and the number of counters in them. */
  batches = 0
  rows = 0

  constructor(store: GuardedStore, options: UsageSenderOptions) {
    this.#store = store
    this.#options = options
    this.#parts = new Parts({
      store,
      write: (sheet) => this.#write(sheet),
      settle: (sheet) => this.#settle(sheet),
      halve,
      drop: (sheet, cause) => options.drop(sheet, 'the store rejected usage counts, so they were dropped', cause),
    })
  }

  /** The part that has not been written yet. */
  get left(): readonly UsageSheet[] {
    return this.#parts.left
  }

  lastUse(tokenId: string): LastUse | undefined {
    for (const { lastUses } of this.left) {
      const found = lastUses.find((last) => last.tokenId === tokenId)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** @throws StoreUnavailableError `store_unavailable`; nothing is lost, and the next call continues */
  async send(next: () => UsageSheet | undefined): Promise<void> {
    await this.#parts.send(next)
  }

  /** @throws StoreUnavailableError `store_unavailable`, if the store refused uses that are still waiting, and has accepted nothing since */
  check(): void {
    this.#parts.check()
  }

  async #write(sheet: UsageSheet): Promise<void> {
    this.#open ??= this.#number(sheet)
    await this.#store.recordUsage(this.#open)
    this.#open = undefined
    this.batches += 1
    this.rows += sheet.counts.length
    // Yields to requests.
    await new Promise((resolve) => setTimeout(resolve))
  }

  async #settle(sheet: UsageSheet): Promise<boolean> {
    let isNew: boolean
    try {
      isNew = await this.#store.recordUsage({ ...(this.#open ?? this.#number(sheet)), ...EMPTY })
    } catch (error) {
      this.#unsure = true
      throw error
    }
    // It was counted, unless an empty batch took its place and the response was lost. Losing it is better than counting it twice.
    if (!isNew && this.#unsure) this.#options.drop(sheet, 'uses may not have been counted: a response from the store was lost')
    this.#open = undefined
    this.#unsure = false
    return !isNew
  }

  #number(sheet: UsageSheet): UsageBatch {
    this.#seq += 1
    return { nodeId: this.#options.nodeId(), seq: this.#seq, at: this.#options.now(), ...sheet }
  }
}

/** Returns how many uses these counters contain. */
export function usesOf({ counts }: UsageSheet): number {
  return counts.reduce((sum, { count }) => sum + count, 0)
}

function halve({ counts, addresses, lastUses }: UsageSheet): readonly [UsageSheet, UsageSheet] | undefined {
  const rows = counts.length + addresses.length + lastUses.length
  if (rows < 2) return undefined
  const middle = rows >> 1
  const cut = <T>(list: readonly T[], before: number): readonly [readonly T[], readonly T[]] => {
    const at = Math.max(0, middle - before)
    return [list.slice(0, at), list.slice(at)]
  }
  const [counted, places, last] = [cut(counts, 0), cut(addresses, counts.length), cut(lastUses, counts.length + addresses.length)]
  return [
    { counts: counted[0], addresses: places[0], lastUses: last[0] },
    { counts: counted[1], addresses: places[1], lastUses: last[1] },
  ]
}
