import { ownFieldsWithin } from '../model/own-fields.js'
import { methodsOf, type StoreMethod } from './methods.js'
import type { TokenStore } from './port.js'

/** The host's transaction, which the store must get as it is. */
const AS_GIVEN: ReadonlySet<string> = new Set<StoreMethod>(['commitIn'])

type Call = (...given: readonly unknown[]) => unknown

/**
 * Wraps the store. Filters, records and events reach it with their own fields only: while `Object.prototype` is polluted, an absent filter would
 * otherwise have a value, and tokens without an owner would have one.
 */
export function passOwnFields(store: TokenStore): TokenStore {
  const calls: { [method: string]: Call } = {}
  for (const method of [...methodsOf(store), 'reached'] as const) {
    const first = AS_GIVEN.has(method) ? 1 : 0
    // Looked up for each call, because tests replace methods.
    calls[method] = (...given) =>
      Reflect.apply(
        store[method] as Call,
        store,
        given.map((value, at) => (at < first ? value : ownFieldsWithin(value))),
      )
  }
  return Object.assign(Object.create(null), { name: store.name, usageRows: store.usageRows }, calls)
}
