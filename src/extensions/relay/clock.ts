import { Background } from '../../store/timer.js'
import { platformRandom } from '../../token/random.js'

/** The time and the chance that a relay works with. Neither decides what a node believes. */
export type RelayClock = {
  /** Monotonic milliseconds. */
  now(): number
  /** Runs something later, without keeping the process alive. Answers how to call it off. */
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
