type Timer = ReturnType<typeof setTimeout>

/** Longer delays fire at once (HTML §8.7). */
const LONGEST_MS = 2_147_483_647

/** Starts a timer that does not keep the process alive. It fires after at most 24.8 days, so that longer waits look again. */
export function startTimer(run: () => void, delayMs: number): Timer {
  const timer = setTimeout(run, Math.min(delayMs, LONGEST_MS))
  // In Workers and browsers a timer is a number.
  const unref: unknown = Reflect.get(Object(timer), 'unref')
  if (typeof unref === 'function') Reflect.apply(unref, timer, [])
  return timer
}
