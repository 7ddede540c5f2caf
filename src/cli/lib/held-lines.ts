import { isErrorLike } from '../../errors.js'
import { oneLine } from './fault.js'

const CONSOLE: Console = console
/** How an instance begins a line about a fault on the console. */
const LINE = /^latchkey LATCHKEY_\w+ /
/** A command that goes on for longer after a fault tells nothing of it itself. */
const LONGEST_MS = 3_000

/** Holds back what the instance of the configuration writes to the console about faults, until it is known whether the command says the same. */
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

  /** The command says this itself. */
  told(error: unknown): void {
    if (isErrorLike(error)) this.#told.push(oneLine(error.message))
  }

  /** Writes what nobody was told, and holds nothing back anymore. */
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
