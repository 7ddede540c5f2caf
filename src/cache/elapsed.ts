/** Running clocks never drift apart by this much between two readings. A larger difference means that the machine slept, or that a clock was set. */
const APART_MS = 100

/** Returns milliseconds since an arbitrary instant. A caller that has just read the wall clock passes that time, so that it is not read twice. */
export type ElapsedClock = (shown?: number) => number

/**
 * Creates a clock that also counts the time during which the machine was asleep.
 *
 * A monotonic clock may stop while a machine is suspended or a function is frozen, so that cached data would be trusted for too long afterward. The wall
 * clock keeps running, so if it moved further, the difference is added. This can only make time pass faster: a wall clock that is set back changes nothing.
 */
export function createElapsedClock(monotonic: () => number, wall: () => number): ElapsedClock {
  let slept = 0
  let since: { readonly monotonic: number; readonly wall: number } | undefined
  return (shown = wall()) => {
    const now = monotonic()
    // Starts at the first call: Workers have no clock while a module is evaluated.
    since ??= { monotonic: now, wall: shown }
    const apart = shown - since.wall - (now - since.monotonic)
    if (Math.abs(apart) > APART_MS) {
      if (apart > 0) slept += apart
      since = { monotonic: now, wall: shown }
    }
    return now + slept
  }
}
