import { methodsOf, type StoreMethod } from '../../store/methods.js'
import type { TokenStore } from '../../store/port.js'

export type { StoreMethod }

/** One call to a store. */
export type StoreCall = { readonly method: StoreMethod; readonly args: readonly unknown[] }

/** Wraps a store so that every call passes through `around`, which may call `proceed` any number of times, now or later. */
export function interceptStore(store: TokenStore, around: (call: StoreCall, proceed: () => unknown) => unknown): TokenStore {
  const wrapped = methodsOf(store).map((method) => {
    const run: unknown = store[method]
    const call = (...args: readonly unknown[]): unknown => around({ method, args }, () => Reflect.apply(run as () => unknown, store, args))
    return [method, call] as const
  })
  return {
    name: store.name,
    ...(store.usageRows !== undefined && { usageRows: store.usageRows }),
    ...(Object.fromEntries(wrapped) as unknown as Omit<TokenStore, 'name' | 'usageRows' | 'reached'>),
    reached: (cursor, target) => store.reached(cursor, target),
  }
}
