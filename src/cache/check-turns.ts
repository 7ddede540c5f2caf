/** How many checks run at a time. Their reads share the store with the verifications of requests, which must not wait behind thousands of checks. */
const CHECKS_AT_ONCE = 256

/** The checks of watched tokens that wait for their turn. Tenants take turns, so one that ends thousands of tokens delays no signal of another. */
export class CheckTurns {
  readonly #check: (id: string) => Promise<void>
  /** IDs by tenant. The tenant whose turn is next comes first. */
  readonly #waiting: Map<string | undefined, Set<string>> = new Map()
  #running = 0

  /** `check` never rejects. */
  constructor(check: (id: string) => Promise<void>) {
    this.#check = check
  }

  /** Checks this ID when its tenant is served. An ID that is waiting already is checked once. */
  add(id: string, tenantId: string | undefined): void {
    const ids = this.#waiting.get(tenantId)
    if (ids === undefined) this.#waiting.set(tenantId, new Set([id]))
    else ids.add(id)
    this.#start()
  }

  #start(): void {
    while (this.#running < CHECKS_AT_ONCE) {
      const id = this.#next()
      if (id === undefined) return
      this.#running += 1
      void this.#check(id).then(() => {
        this.#running -= 1
        this.#start()
      })
    }
  }

  #next(): string | undefined {
    for (const [tenantId, ids] of this.#waiting) {
      const [id] = ids
      this.#waiting.delete(tenantId)
      if (id === undefined) continue
      ids.delete(id)
      if (ids.size > 0) this.#waiting.set(tenantId, ids)
      return id
    }
    return undefined
  }
}
