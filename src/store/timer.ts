type Timer = ReturnType<typeof setTimeout>

/** Longer delays fire at once (HTML §8.7). */
const LONGEST_MS = 2_147_483_647

type Apart = <T>(run: () => T) => T

const here: Apart = (run) => run()

let byTracer: Apart = here

/** Says how else work that belongs to no request is kept apart from the one that gave rise to it, as a tracer tells them apart. */
export function keepApart(how: Apart): void {
  byTracer = how
}

/**
 * Runs work that belongs to no request in the async context in which this object was made, whatever request gives rise to the work. Hosts tell
 * requests and tenants from one another by an `AsyncLocalStorage`, and polls would go on in that of the request which came first.
 */
export class Background {
  readonly #outside: Apart = currentContext() ?? here

  run<T>(work: () => T): T {
    return this.#outside(() => byTracer(work))
  }

  /** As `startTimer`. */
  timer(work: () => void, delayMs: number): Timer {
    return startTimer(() => this.run(work), delayMs)
  }
}

// Not by an import: `src` knows no platform, and bundles for browsers would break. Where the platform has no contexts, there is nothing to keep apart.
function currentContext(): Apart | undefined {
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
  const timer = setTimeout(run, Math.min(delayMs, LONGEST_MS))
  // In Workers and browsers a timer is a number.
  const unref: unknown = Reflect.get(Object(timer), 'unref')
  if (typeof unref === 'function') Reflect.apply(unref, timer, [])
  return timer
}
