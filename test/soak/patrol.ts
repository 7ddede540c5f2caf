import type { Latchkey } from 'latchkey'
import { deciderOf } from '../../src/instance.js'
import type { Report, Span, Target } from './protocol.js'

const PAUSE_MS = 20
const REPORT_EVERY_MS = 100

/** Verifies every token repeatedly, like incoming requests, and reports the answers and their times. */
export class Patrol {
  readonly #tokens: Latchkey
  readonly #monotonic: () => number
  readonly #targets: Map<string, Target> = new Map()
  readonly #finally: Map<string, number> = new Map()
  #accepted: Map<string, number> = new Map()
  #refused: [string, string, number][] = []
  #again: Set<string> = new Set()
  #verifications = 0
  #unavailable = 0
  /** When the current outage of each token began. */
  readonly #unavailableSince: Map<string, number> = new Map()
  #outages: Span[] = []

  constructor(tokens: Latchkey, monotonic: () => number, report: (report: Report) => void) {
    this.#tokens = tokens
    this.#monotonic = monotonic
    setInterval(() => report(this.#take()), REPORT_EVERY_MS)
    void this.#walk()
  }

  change(add: readonly Target[], drop: readonly string[]): void {
    for (const target of add) this.#targets.set(target.id, target)
    for (const id of drop) {
      this.#targets.delete(id)
      this.#unavailableSince.delete(id)
      this.#finally.delete(id)
    }
  }

  async #walk(): Promise<never> {
    for (;;) {
      await Promise.all([...this.#targets.values()].map((target) => this.#check(target)))
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  async #check({ id, token }: Target): Promise<void> {
    const began = this.#monotonic()
    this.#verifications += 1
    try {
      const answer = await deciderOf(this.#tokens).decide(token)
      this.#decided(id)
      if (!answer.ok) return this.#refuse(id, answer.code)
      this.#accepted.set(id, began)
      const ended = this.#finally.get(id)
      if (ended !== undefined && began > ended) this.#again.add(id)
    } catch {
      this.#unavailable += 1
      if (!this.#unavailableSince.has(id)) this.#unavailableSince.set(id, began)
    }
  }

  #decided(id: string): void {
    const since = this.#unavailableSince.get(id)
    if (since === undefined) return
    this.#unavailableSince.delete(id)
    this.#outages.push([since, this.#monotonic()])
  }

  #refuse(id: string, code: string): void {
    if (this.#finally.has(id)) return
    const now = this.#monotonic()
    this.#finally.set(id, now)
    this.#refused.push([id, code, now])
  }

  #take(): Report {
    const report = {
      accepted: [...this.#accepted],
      refused: this.#refused,
      again: [...this.#again],
      verifications: this.#verifications,
      unavailable: this.#unavailable,
      outages: this.#outages,
    }
    this.#accepted = new Map()
    this.#refused = []
    this.#again = new Set()
    this.#verifications = 0
    this.#unavailable = 0
    this.#outages = []
    return report
  }
}
