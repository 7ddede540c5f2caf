import { Background } from '../../store/timer.js'
import { platformRandom } from '../../token/random.js'

/** The clock and random numbers of a relay. Neither affects what a node trusts. */
export type RelayClock = {
  /** Monotonic milliseconds. */
  now(): number
  /** Runs a function later without keeping the process alive. Returns a function that cancels it. */
  after(ms: number, run: () => void): () => void
  /** At least 0, less than 1. */
  random(): number
}

export function realClock(): RelayClock {
  const background = new Background()
  return {
    now: () => performance.now(),
    after(ms, run) {
      const timer = background.timer(run, ms)
      return () => clearTimeout(timer)
    },
    random: () => (platformRandom(1)[0] ?? 0) / 256,
  }
}
