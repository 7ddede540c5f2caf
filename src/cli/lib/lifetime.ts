import type { ExitCode } from './fault.js'

/** How the process ends if a token may have been created but was not shown. */
export type Unshown = { readonly exitCode: ExitCode; readonly sentence: string }

/** The longest wait for a hanging store, in milliseconds. */
const LONGEST_END_MS = 5000

/** Resources that must be closed before the process ends, however it ends. */
export class Lifetime {
  readonly #closers: (() => Promise<void>)[] = []
  #ending: Promise<void> | undefined

  #unshown: Unshown | undefined

  /** Present while a token is being created and shown. */
  get unshown(): Unshown | undefined {
    return this.#unshown
  }

  /** Runs work that creates a token and shows it. `note` replaces the message about the token if the process ends first. */
  async untilShown(first: Unshown, work: (note: (unshown: Unshown) => void) => Promise<void>): Promise<void> {
    this.#unshown = first
    try {
      await work((unshown) => {
        this.#unshown = unshown
      })
    } finally {
      this.#unshown = undefined
    }
  }

  onEnd(close: () => Promise<void>): void {
    this.#closers.push(close)
  }

  /** Closes everything, once. Never rejects, because the instance itself reports what it cannot close. */
  end(): Promise<void> {
    this.#ending ??= Promise.race([
      Promise.allSettled(this.#closers.map((close) => close())),
      new Promise((resolve) => setTimeout(resolve, LONGEST_END_MS).unref()),
    ]).then(() => undefined)
    return this.#ending
  }
}
