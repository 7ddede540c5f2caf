import type { RelayClock } from './clock.js'

/** The pace of a lane: one turn per gap, plus a burst of the turns that it has saved up. */
export type LanePace = {
  readonly gapMs: number
  /** How many turns it can save up while idle. @default 1 */
  readonly burst?: number
  /** How long it waits to collect equal requests, even after being idle. @default 0 */
  readonly collectMs?: number
}

/** Runs work at a bounded pace. Requests that arrive in between are handled together in the next turn. */
export class Lane {
  readonly #clock: RelayClock
  readonly #gapMs: number
  readonly #burst: number
  readonly #collectMs: number
  readonly #work: () => void
  #saved: number
  #savedAt: number
  #due = 0
  #cancel: (() => void) | undefined

  constructor(clock: RelayClock, { gapMs, burst = 1, collectMs = 0 }: LanePace, work: () => void) {
    this.#clock = clock
    this.#gapMs = gapMs
    this.#burst = burst
    this.#collectMs = collectMs
    this.#work = work
    this.#saved = burst
    this.#savedAt = clock.now()
  }

  /** Requests a turn: soon, or only once the burst is fully replenished, which leaves the burst for urgent work. */
  request(when: 'soon' | 'saved up' = 'soon'): void {
    const now = this.#save()
    const missing = (when === 'soon' ? 1 : this.#burst) - this.#saved
    const due = now + Math.max(this.#collectMs, missing * this.#gapMs)
    if (this.#cancel !== undefined && this.#due <= due) return
    this.#cancel?.()
    this.#due = due
    this.#cancel = this.#clock.after(due - now, () => {
      this.#cancel = undefined
      this.#save()
      this.#saved -= 1
      this.#work()
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #save(): number {
    const now = this.#clock.now()
    this.#saved = Math.min(this.#burst, this.#saved + (now - this.#savedAt) / this.#gapMs)
    this.#savedAt = now
    return now
  }
}
