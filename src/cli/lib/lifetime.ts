/** A store that hangs is not waited for longer than this. */
const LONGEST_END_MS = 5000

/** What must be closed before the process ends, however it ends. */
export class Lifetime {
  readonly #closers: (() => Promise<void>)[] = []
  #ending: Promise<void> | undefined

  onEnd(close: () => Promise<void>): void {
    this.#closers.push(close)
  }

  /** Closes everything, once. Never rejects: what cannot be closed is told by the instance itself. */
  end(): Promise<void> {
    this.#ending ??= Promise.race([
      Promise.allSettled(this.#closers.map((close) => close())),
      new Promise((resolve) => setTimeout(resolve, LONGEST_END_MS).unref()),
    ]).then(() => undefined)
    return this.#ending
  }
}
