/** Clocks that run at the same speed never drift apart by this much between two looks; what is longer is sleep, or a clock that was set. */
const APART_MS = 100

/**
 * Creates a clock that also counts the time while the machine was asleep.
 *
 * A monotonic clock may stand still while a machine is suspended or a function is frozen, and what was cached before would be believed for the rest of
 * its time afterwards. The wall clock does not stand still, so where it moved further, its word is taken. It can only make time pass sooner: a wall clock that is set
 * back, or shows nonsense, changes nothing.
 */
export function createElapsedClock(monotonic: () => number, wall: () => number): () => number {
  let slept = 0
  let since: { readonly monotonic: number; readonly wall: number } | undefined
  return () => {
    const now = monotonic()
    const shown = wall()
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
