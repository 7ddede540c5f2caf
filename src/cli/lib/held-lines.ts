import { isErrorLike } from '../../errors.js'
import { oneLine } from './fault.js'

const CONSOLE: Console = console
/** The start of an instance's console message about a fault. */
const LINE = /^latchkey LATCHKEY_\w+ /
/** A command that runs longer than this after a fault does not report it itself. */
const LONGEST_MS = 3_000

/** Holds back the instance's console messages about faults until it is known whether the command reports the same fault. */
export class HeldLines {
  readonly #write: Console['error'] = CONSOLE.error
  readonly #own: Console['error']
  readonly #told: string[] = []
  #held: string[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    this.#own = (...data: readonly unknown[]) => {
      const [line] = data
      if (data.length !== 1 || typeof line !== 'string' || !LINE.test(line)) return Reflect.apply(this.#write, CONSOLE, data)
      this.#held.push(line)
      this.#timer ??= setTimeout(() => this.#release(), LONGEST_MS).unref()
    }
    CONSOLE.error = this.#own
  }

  /** Called when the command reports this fault itself. */
  told(error: unknown): void {
    if (isErrorLike(error)) this.#told.push(oneLine(error.message))
  }

  /** Writes the messages that were not reported otherwise, and stops holding messages back. */
  end(): void {
    if (CONSOLE.error === this.#own) CONSOLE.error = this.#write
    this.#release()
  }

  #release(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const lines = this.#held.filter((line) => !this.#told.some((message) => oneLine(line).includes(message)))
    this.#held = []
    for (const line of lines) Reflect.apply(this.#write, CONSOLE, [line])
  }
}
