/** A use of a token whose request is still being handled. */
export type OpenUse = {
  /** Counts the use if its response has begun, so that no check can refuse it anymore. With `now`, counts it in any case. */
  settle(now: boolean): void
}

/** Uses that are not counted yet because their requests are still being handled. */
export class OpenUses {
  readonly #uses: Set<OpenUse> = new Set()
  readonly #scheduleFlush: () => void

  constructor(scheduleFlush: () => void) {
    this.#scheduleFlush = scheduleFlush
  }

  get pending(): boolean {
    return this.#uses.size > 0
  }

  add(use: OpenUse): void {
    this.#uses.add(use)
    this.#scheduleFlush()
  }

  delete(use: OpenUse): void {
    this.#uses.delete(use)
  }

  /** Counts the uses whose responses have begun. A response can go on for hours, and a crash would lose its use. */
  async flush(): Promise<void> {
    for (const use of this.#uses) use.settle(false)
  }

  /** Counts all uses, before the instance closes. */
  close(): void {
    for (const use of this.#uses) use.settle(true)
  }
}
