/** The longest wait for a hanging store, in milliseconds. */
const LONGEST_END_MS = 5000

/** Resources that must be closed before the process ends, however it ends. */
export class Lifetime {
  readonly #closers: (() => Promise<void>)[] = []
  #ending: Promise<void> | undefined

  onEnd(close: () => Promise<void>): void {
    this.#closers.push(close)
  }

  /** Closes everything, once. Never rejects: the instance itself reports what it cannot close. */
  end(): Promise<void> {
    this.#ending ??= Promise.race([
      Promise.allSettled(this.#closers.map((close) => close())),
      new Promise((resolve) => setTimeout(resolve, LONGEST_END_MS).unref()),
    ]).then(() => undefined)
    return this.#ending
  }
}
