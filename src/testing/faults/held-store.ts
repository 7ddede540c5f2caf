import type { TokenStore } from '../../store/port.js'
import { interceptStore, type StoreCall, type StoreMethod } from './intercept.js'

/** A call that waits for the test. */
export type HeldCall = StoreCall & {
  /** Lets the call reach the store now, but holds its answer back. */
  reach(): Promise<void>
  /** Releases the answer after the call has reached the store. */
  release(): Promise<void>
  /** Fails the call instead, whether or not it has reached the store. */
  fail(error: unknown): void
}

/** A store whose calls wait for the test. */
export type HeldStore = TokenStore & {
  /** Makes every later call to these methods wait. */
  hold(...methods: readonly StoreMethod[]): void
  /** Lets later calls to these methods pass, or to all methods if none is named. Calls that are already waiting keep waiting. */
  pass(...methods: readonly StoreMethod[]): void
  /** Lets later calls to these methods pass, or to all methods if none is named, and releases waiting calls. */
  resume(...methods: readonly StoreMethod[]): Promise<void>
  /** Resolves to the oldest waiting call to a method, skipping calls that `next` has already returned. If there is none yet, waits for one. */
  next(method: StoreMethod): Promise<HeldCall>
  /** The calls that are waiting, oldest first. */
  readonly waiting: readonly HeldCall[]
}

/**
 * Wraps a store so that a test decides when each call reaches it and when its answer arrives, for tests of race conditions.
 *
 * @example
 * ```ts
 * const store = heldStore(memoryStore())
 * store.hold('find')
 * const slow = tokens.verify(token)
 * const read = await store.next('find')
 * await read.reach()                                  // reads the record as it is now, …
 * store.pass('find')
 * await tokens.system.revoke(id)                      // … which then changes, …
 * await read.release()                                // … and only now does the old answer arrive.
 * ```
 */
export function heldStore(store: TokenStore): HeldStore {
  const held = new Set<StoreMethod>()
  const waiting: HeldCall[] = []
  const asked: { readonly method: StoreMethod; readonly give: (call: HeldCall) => void }[] = []
  const given = new Set<HeldCall>()

  function offer(call: HeldCall): void {
    const index = asked.findIndex(({ method }) => method === call.method)
    const [taker] = index < 0 ? [] : asked.splice(index, 1)
    if (taker === undefined) return
    given.add(call)
    taker.give(call)
  }

  function around(call: StoreCall, proceed: () => unknown): unknown {
    if (!held.has(call.method)) return proceed()
    return new Promise((resolve, reject) => {
      let outcome: Promise<unknown> | undefined
      const reach = async (): Promise<void> => {
        outcome ??= (async () => proceed())()
        await outcome.catch(() => {})
      }
      const leave = (): void => {
        given.delete(waitingCall)
        const index = waiting.indexOf(waitingCall)
        if (index >= 0) waiting.splice(index, 1)
      }
      const waitingCall: HeldCall = {
        ...call,
        reach,
        async release() {
          await reach()
          leave()
          resolve(outcome)
        },
        fail(error) {
          leave()
          reject(error)
        },
      }
      waiting.push(waitingCall)
      offer(waitingCall)
    })
  }

  function pass(...methods: readonly StoreMethod[]): void {
    if (methods.length === 0) held.clear()
    for (const method of methods) held.delete(method)
  }

  return Object.assign(interceptStore(store, around), {
    waiting,
    hold(...methods: readonly StoreMethod[]) {
      for (const method of methods) held.add(method)
    },
    pass,
    async resume(...methods: readonly StoreMethod[]) {
      pass(...methods)
      const concerns = (method: StoreMethod): boolean => methods.length === 0 || methods.includes(method)
      await Promise.all(waiting.filter((call) => concerns(call.method)).map((call) => call.release()))
    },
    next(method: StoreMethod): Promise<HeldCall> {
      const ready = waiting.find((call) => call.method === method && !given.has(call))
      if (ready !== undefined) {
        given.add(ready)
        return Promise.resolve(ready)
      }
      return new Promise((resolve) => {
        asked.push({ method, give: resolve })
      })
    },
  })
}
