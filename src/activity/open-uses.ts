/** A use of a token whose request is still being handled. Only `OpenUses` reads and writes its links, which make it a member of one list. */
export type OpenUse = {
  isOpen: boolean
  previous: OpenUse | undefined
  next: OpenUse | undefined
  /** Counts the use if its response has begun, so that no check can refuse it anymore. With `now`, counts it in any case. */
  settle(now: boolean): void
}

/** Uses that are not counted yet because their requests are still being handled. A linked list, which is cheaper than a set for every request. */
export class OpenUses {
  #first: OpenUse | undefined
  readonly #scheduleFlush: () => void

  constructor(scheduleFlush: () => void) {
    this.#scheduleFlush = scheduleFlush
  }

  get pending(): boolean {
    return this.#first !== undefined
  }

  add(use: OpenUse): void {
    if (!use.isOpen) {
      use.isOpen = true
      use.next = this.#first
      if (this.#first !== undefined) this.#first.previous = use
      this.#first = use
    }
    this.#scheduleFlush()
  }

  delete(use: OpenUse): void {
    if (!use.isOpen) return
    const { previous, next } = use
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next !== undefined) next.previous = previous
    use.isOpen = false
    use.previous = undefined
    use.next = undefined
  }

  /** Counts the uses whose responses have begun. A response can go on for hours, and a crash would lose its use. */
  async flush(): Promise<void> {
    this.#settle(false)
  }

  /** Counts all uses, before the instance closes. */
  close(): void {
    this.#settle(true)
  }

  #settle(now: boolean): void {
    const uses: OpenUse[] = []
    for (let use = this.#first; use !== undefined; use = use.next) uses.push(use)
    // Counting a use reads its route, and the framework may end other requests meanwhile.
    for (const use of uses) use.settle(now)
  }
}
