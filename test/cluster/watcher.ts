import type { Latchkey, Verification } from 'latchkey'
import { deciderOf } from '../../src/instance.js'
import type { Watched } from './protocol.js'

const EVERY_MS = 1
const IN_MEMORY_IN_A_ROW = 5

/** Verifies one token about every millisecond, like a stream of requests, and records the answers and their times. */
export class Watcher {
  readonly #tokens: Latchkey
  readonly #token: string
  readonly #monotonic: () => number
  readonly #codes: Map<string, number> = new Map()
  #running = true
  #accepted = 0
  #refusals = 0
  #acceptedAgain = 0
  #lastAcceptedBegan = 0
  #firstRefusedEnded: number | undefined
  #inMemory = 0

  constructor(tokens: Latchkey, token: string, monotonic: () => number) {
    this.#tokens = tokens
    this.#token = token
    this.#monotonic = monotonic
    void this.#run()
  }

  /**
   * Resolves once the token is repeatedly accepted from memory. Earlier answers, such as those from when a link was recovering, are forgotten.
   */
  async settled(): Promise<void> {
    while (this.#running && this.#inMemory < IN_MEMORY_IN_A_ROW) await pause()
    this.#refusals = 0
    this.#acceptedAgain = 0
    this.#firstRefusedEnded = undefined
    this.#codes.clear()
  }

  /** Resolves once the token has been refused. */
  async refused(): Promise<void> {
    while (this.#running && this.#refusals === 0) await pause()
  }

  stop(): Watched {
    this.#running = false
    return {
      accepted: this.#accepted,
      refused: this.#refusals,
      lastAcceptedBegan: this.#lastAcceptedBegan,
      firstRefusedEnded: this.#firstRefusedEnded,
      acceptedAgain: this.#acceptedAgain,
      codes: Object.fromEntries(this.#codes),
    }
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const began = this.#monotonic()
      try {
        const answer = deciderOf(this.#tokens).decide(this.#token)
        const late = answer instanceof Promise
        this.#note(began, await answer, late)
      } catch (error) {
        this.#refuse(error instanceof Error && 'code' in error ? String(error.code) : String(error))
      }
      await pause()
    }
  }

  #note(began: number, answer: Verification, late: boolean): void {
    if (!answer.ok) {
      this.#refuse(answer.code)
      return
    }
    this.#accepted += 1
    this.#lastAcceptedBegan = began
    if (this.#firstRefusedEnded !== undefined && began > this.#firstRefusedEnded) this.#acceptedAgain += 1
    this.#inMemory = late ? 0 : this.#inMemory + 1
  }

  #refuse(code: string): void {
    this.#refusals += 1
    this.#inMemory = 0
    this.#firstRefusedEnded ??= this.#monotonic()
    this.#codes.set(code, (this.#codes.get(code) ?? 0) + 1)
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, EVERY_MS))
}
