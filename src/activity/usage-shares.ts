/** The share of the free space that one party may hold. The fuller the buffer, the less each party may hold, so some space is always left for others. */
const PART = 1 / 4

/** The space that is left in the buffer: for tokens, and for rows with their endpoints and addresses. */
type Free = { slots: number; rows: number }

/** The fields of a token that name its party. */
export type Party = { readonly tenantId?: string | undefined; readonly ownerId?: string | undefined }

/** The share of the buffer that one party holds. */
export class UsageShare {
  readonly #free: Free
  #slots = 0
  #rows = 0

  constructor(free: Free) {
    this.#free = free
  }

  /** Whether another row may be added. */
  get hasRow(): boolean {
    return this.#rows < this.#free.rows * PART
  }

  takeRow(): void {
    this.#rows += 1
    this.#free.rows -= 1
  }

  /** Returns `false` if this party must not add another token. */
  takeSlot(): boolean {
    if (this.#slots >= this.#free.slots * PART) return false
    this.#slots += 1
    this.#free.slots -= 1
    return true
  }
}

/**
 * Divides the buffer of unwritten uses among parties, so that no party displaces the uses of another while the store accepts none.
 *
 * A party is a tenant; for tokens without one, an owner, and otherwise the token itself.
 */
export class UsageShares {
  readonly #free: Free
  readonly #shares: Map<string, UsageShare> = new Map()

  constructor(slots: number, rows: number) {
    this.#free = { slots, rows }
  }

  of({ tenantId, ownerId }: Party): UsageShare {
    if (tenantId === undefined && ownerId === undefined) return new UsageShare(this.#free)
    const key = tenantId === undefined ? `owner ${ownerId}` : `tenant ${tenantId}`
    const known = this.#shares.get(key)
    if (known !== undefined) return known
    const share = new UsageShare(this.#free)
    // While the buffer is full, new parties are not remembered, because there may be any number of them.
    if (this.#free.slots > 0) this.#shares.set(key, share)
    return share
  }
}
