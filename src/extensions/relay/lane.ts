import type { RelayClock } from './clock.js'

/** How often a lane works: once in each gap, and as often in a row as it has saved up. */
export type LanePace = {
  readonly gapMs: number
  /** How many turns are saved up while it is idle. @default 1 */
  readonly burst?: number
  /** How long it waits for others that ask for the same, also where it has been idle. @default 0 */
  readonly collectMs?: number
}

/** Does work at a bounded pace: what is asked for meanwhile is done together, in the next turn. */
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

  /** Works soon, or once the lane has saved up all that it can: what can wait leaves the rest to what cannot. */
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
