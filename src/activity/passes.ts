/**
 * Runs work one pass at a time.
 *
 * Calls that arrive during a pass share the next one, because they may be too late for the current one. The amount of work therefore does not depend on how
 * many callers ask.
 */
export class Passes<T> {
  readonly #work: (input: T) => Promise<void>
  readonly #merge: (earlier: T, later: T) => T
  #current: Promise<void> | undefined
  #next: { input: T; readonly done: Promise<void> } | undefined

  /** `merge` combines the inputs of calls that share a pass. By default, the last input counts. */
  constructor(work: (input: T) => Promise<void>, merge: (earlier: T, later: T) => T = (_earlier, later) => later) {
    this.#work = work
    this.#merge = merge
  }

  /** Resolves after a pass that begins after this call. */
  run(input: T): Promise<void> {
    if (this.#next !== undefined) {
      this.#next.input = this.#merge(this.#next.input, input)
      return this.#next.done
    }
    if (this.#current === undefined) return this.#begin(input)
    const begin = (): Promise<void> => {
      const merged = next.input
      this.#next = undefined
      return this.#begin(merged)
    }
    const next = { input, done: this.#current.then(begin, begin) }
    this.#next = next
    return next.done
  }

  #begin(input: T): Promise<void> {
    this.#current = this.#work(input).finally(() => {
      this.#current = undefined
    })
    return this.#current
  }
}
