type Timer = ReturnType<typeof setTimeout>

/** Longer delays fire immediately (HTML §8.7). */
const LONGEST_MS = 2_147_483_647

/** How often work that waits for an instant reads the wall clock. Timers do not count the time during which the machine was asleep. */
export const CLOCK_CHECK_MS = 1000

/** Returns how many milliseconds are left. Never throws, because an exception in a timer would end the process. If the clock is invalid, none are left. */
export function leftOf(endsInMs: () => number): number {
  try {
    const left = endsInMs()
    return Number.isNaN(left) ? 0 : left
  } catch {
    return 0
  }
}

type Apart = <T>(run: () => T) => T

const here: Apart = (run) => run()

let byTracer: Apart = here

/** Sets how a tracer separates background work from the request that triggers it. */
export function keepApart(how: Apart): void {
  byTracer = how
}

/**
 * Runs background work in the async context in which this object was created, not in that of the request that triggers it. Hosts identify
 * requests and tenants with `AsyncLocalStorage`; otherwise, polling would run in the context of the first request.
 */
export class Background {
  readonly #outside: Apart = currentContext() ?? here

  run<T>(work: () => T): T {
    return this.#outside(() => byTracer(work))
  }

  /** Like `startTimer`, in that context. */
  timer(work: () => void, delayMs: number): Timer {
    return startTimer(() => this.run(work), delayMs)
  }

  /** Lets other work run for this long. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.timer(resolve, ms))
  }
}

// No import: `src` is platform-independent, and an import would break browser bundles. A platform without async contexts needs no separation.
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

/** Starts a timer that does not keep the process alive. It fires after at most 24.8 days, so callers with longer waits must check the time again. */
export function startTimer(run: () => void, delayMs: number): Timer {
  const timer = setTimeout(run, Math.min(delayMs, LONGEST_MS))
  // In Workers and browsers, a timer is a number.
  const unref: unknown = Reflect.get(Object(timer), 'unref')
  if (typeof unref === 'function') Reflect.apply(unref, timer, [])
  return timer
}

/** How long work may run before it yields to other work. */
const TURN_MS = 20

const { setTimeout: original } = globalThis

/**
 * Makes long-running work yield to other work. Stores that answer synchronously, as SQLite and memory do, would otherwise block
 * the event loop until the last page. Call it between two pages: it waits only if the work has run for its full turn by this clock.
 */
export function createTurns(monotonic: () => number): () => Promise<void> {
  let began = monotonic()
  return async () => {
    if (monotonic() - began < TURN_MS) return
    await yieldOnce()
    began = monotonic()
  }
}

/**
 * The same for separate calls, which yield only if nothing else has run between them. A loop that awaits calls to a store that answers synchronously would
 * otherwise block the event loop until its end.
 */
export function createCallTurns(monotonic: () => number): () => Promise<void> {
  let began: number | undefined
  return async () => {
    if (began === undefined) {
      began = monotonic()
      void yieldOnce().then(() => {
        began = undefined
      })
    } else if (monotonic() - began >= TURN_MS) {
      await yieldOnce()
      began = undefined
    }
  }
}

// Unlike `startTimer`, this keeps the process alive, because the work that waits here must still finish.
function yieldOnce(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve)
    // If a host's test uses fake timers, the fake timer may never fire, so every other timer that may be real also resumes the work.
    if (setTimeout !== original) original(resolve)
    const { setImmediate }: { readonly setImmediate?: (run: () => void) => unknown } = globalThis
    setImmediate?.(resolve)
  })
}
