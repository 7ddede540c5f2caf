import type { TokenStore } from '../../store/port.js'
import { pause } from '../pause.js'
import { interceptStore, type StoreCall, type StoreMethod } from './intercept.js'

/** The fault of one call. */
export type Fault =
  /** The call reaches the store late. */
  | { readonly do: 'delay'; readonly milliseconds: number }
  /** The call does not reach the store. It rejects with `error`, or throws it synchronously. */
  | { readonly do: 'fail'; readonly error: unknown; readonly how?: 'reject' | 'throw' }
  /** The store carries out the call, but the caller gets `error` instead of the answer. */
  | { readonly do: 'fail-after'; readonly error: unknown }
  /** The call does not reach the store and never ends. */
  | { readonly do: 'hang' }
  /** The store carries out the call, but the answer never arrives. */
  | { readonly do: 'lose-answer' }
  /** The call does not reach the store, and is answered with `undefined` as if it had. */
  | { readonly do: 'drop' }
  /** The call reaches the store twice; the caller gets the second answer. */
  | { readonly do: 'duplicate' }
  /** The call reaches the store after the next call to any method, or after 50 ms if there is none. */
  | { readonly do: 'reorder' }
  /** The call does not reach the store, and is answered with `value`. */
  | { readonly do: 'answer'; readonly value: unknown }

/** A call as a plan sees it. The wake-ups of `subscribe` are calls too, of the method `wake`. */
export type FaultyCall = {
  readonly method: StoreMethod | 'wake'
  readonly args: readonly unknown[]
  /** 1, 2, 3 … within the method. */
  readonly number: number
}

/** The fault for each method: one for all of its calls, or a function that returns one for each call. */
export type FaultPlan = { readonly [method in StoreMethod | 'wake']?: Fault } | ((call: FaultyCall) => Fault | undefined)

/** A store with faults. */
export type FaultyStore = TokenStore & {
  /** Every call so far, in order. */
  readonly calls: readonly FaultyCall[]
  /** Switches to another plan or, without one, to no faults. */
  behave(plan?: FaultPlan): void
}

/** Values that drivers have been seen to reject with. They break code that expects an `Error`. */
export const AWKWARD_ERRORS: readonly unknown[] = [
  new Error('the store is down'),
  undefined,
  null,
  '',
  0,
  false,
  Number.NaN,
  'route',
  'router',
  {},
]

const REORDER_MS = 50

/**
 * Wraps a store so that its calls are delayed, fail, hang, or are duplicated, lost or reordered according to a plan.
 *
 * @example
 * ```ts
 * const store = faultyStore(memoryStore(), { find: { do: 'hang' } })
 * // …every verification that has to query the store is refused with 503…
 * store.behave()
 * ```
 * @example
 * ```ts
 * faultyStore(store, ({ method, number }) => (method === 'commit' && number % 3 === 0 ? { do: 'fail-after', error: new Error('reset') } : undefined))
 * ```
 */
export function faultyStore(store: TokenStore, plan: FaultPlan = {}): FaultyStore {
  const calls: FaultyCall[] = []
  const numbers = new Map<string, number>()
  let present = plan
  let overtaken: (() => void)[] = []

  function meet(method: FaultyCall['method'], args: readonly unknown[]): Fault | undefined {
    const number = (numbers.get(method) ?? 0) + 1
    numbers.set(method, number)
    const call = { method, args, number }
    calls.push(call)
    return typeof present === 'function' ? present(call) : present[method]
  }

  function run(fault: Fault | undefined, proceed: () => unknown): unknown {
    const waiting = overtaken
    overtaken = []
    const answer = suffer(fault, proceed, () => {
      // The next call overtakes this one.
      return Promise.race([new Promise<void>((resolve) => overtaken.push(resolve)), pause(REORDER_MS)])
    })
    if (waiting.length > 0) {
      const goOn = (): void => {
        for (const resolve of waiting) resolve()
      }
      Promise.resolve(answer).then(goOn, goOn)
    }
    return answer
  }

  function around({ method, args }: StoreCall, proceed: () => unknown): unknown {
    return run(meet(method, args), proceed)
  }

  const { subscribe } = store
  const listening: TokenStore = {
    ...passOn(store),
    ...(subscribe !== undefined && {
      subscribe: (wake: () => void, lost?: (error: unknown) => void) =>
        subscribe.call(store, () => void Promise.resolve(run(meet('wake', []), wake)).catch(() => {}), lost),
    }),
  }
  return Object.assign(interceptStore(listening, around), {
    calls,
    behave(next: FaultPlan = {}) {
      present = next
    },
  })
}

function passOn(store: TokenStore): TokenStore {
  return interceptStore(store, (_, proceed) => proceed())
}

function suffer(fault: Fault | undefined, proceed: () => unknown, overtaken: () => Promise<unknown>): unknown {
  switch (fault?.do) {
    case undefined:
      return proceed()
    case 'delay':
      return pause(fault.milliseconds).then(proceed)
    case 'fail':
      if (fault.how === 'throw') throw fault.error
      return Promise.reject(fault.error)
    case 'fail-after':
      return after(proceed, () => Promise.reject(fault.error))
    case 'hang':
      return new Promise(() => {})
    case 'lose-answer':
      return after(proceed, () => new Promise(() => {}))
    case 'drop':
      return undefined
    case 'duplicate':
      return after(proceed, proceed)
    case 'reorder':
      return overtaken().then(proceed)
    case 'answer':
      return fault.value
  }
}

async function after(proceed: () => unknown, then: () => unknown): Promise<unknown> {
  await proceed()
  return then()
}
