/** A repeatable source of numbers: a failure reports its seed, which reproduces the run. */
export type Dice = {
  readonly seed: number
  /** Returns a whole number from 0 to `below - 1`. */
  below(below: number): number
}

/** Creates a generator of numbers from a seed (mulberry32). For tests only, never for secrets. */
export function createDice(seed: number): Dice {
  let state = seed >>> 0
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
  return { seed, below }
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Random base62 text, for IDs of tests only. */
export function randomText(length: number): string {
  return Array.from({ length }, () => BASE62[Math.floor(Math.random() * BASE62.length)] ?? '0').join('')
}
