type Timer = ReturnType<typeof setTimeout>

/** Longer delays fire at once (HTML §8.7). */
const LONGEST_MS = 2_147_483_647

type Apart = <T>(run: () => T) => T

// The context in which this module was loaded: a host's `AsyncLocalStorage` tells requests from one another, and work for all of them belongs to none. It
// is no request's where the module is loaded at start-up; a dynamic import inside a request would make it that one's. Where the platform has none to give,
// there is nothing to keep apart.
const outside: Apart = moduleContext() ?? ((run) => run())

/** Runs a function apart from the request in which it happens to be called. */
let apart: Apart = outside

/** Says how else work that belongs to no request is kept apart from the one that gave rise to it, as a tracer tells them apart. */
export function keepApart(how: Apart): void {
  apart = (run) => outside(() => how(run))
}

/** Runs work that belongs to no request. */
export function runApart<T>(run: () => T): T {
  return apart(run)
}

// Not by an import: `src` knows no platform, and bundles for browsers would break.
function moduleContext(): Apart | undefined {
  try {
    const hooks: unknown = globalThis.process?.getBuiltinModule?.('node:async_hooks')
    const storage: unknown = Reflect.get(Object(hooks), 'AsyncLocalStorage')
    const snapshot: unknown = Reflect.get(Object(storage), 'snapshot')
    return typeof snapshot === 'function' ? Reflect.apply(snapshot, storage, []) : undefined
  } catch {
    return undefined
  }
}

/** Starts a timer that does not keep the process alive. It fires after at most 24.8 days, so that longer waits look again. */
export function startTimer(run: () => void, delayMs: number): Timer {
  const timer = setTimeout(() => runApart(run), Math.min(delayMs, LONGEST_MS))
  // In Workers and browsers a timer is a number.
  const unref: unknown = Reflect.get(Object(timer), 'unref')
  if (typeof unref === 'function') Reflect.apply(unref, timer, [])
  return timer
}
