type Timer = ReturnType<typeof setTimeout>

/** Longer delays fire at once (HTML §8.7). */
const LONGEST_MS = 2_147_483_647

/** Runs a function apart from the request in which it happens to be called. */
let apart: <T>(run: () => T) => T = (run) => run()

/** Says how work that belongs to no request is kept apart from the one that gave rise to it, as a tracer tells them apart. */
export function keepApart(how: <T>(run: () => T) => T): void {
  apart = how
}

/** Runs work that belongs to no request. */
export function runApart<T>(run: () => T): T {
  return apart(run)
}

/** Starts a timer that does not keep the process alive. It fires after at most 24.8 days, so that longer waits look again. */
export function startTimer(run: () => void, delayMs: number): Timer {
  const timer = setTimeout(() => runApart(run), Math.min(delayMs, LONGEST_MS))
  // In Workers and browsers a timer is a number.
  const unref: unknown = Reflect.get(Object(timer), 'unref')
  if (typeof unref === 'function') Reflect.apply(unref, timer, [])
  return timer
}
