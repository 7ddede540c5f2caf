import type { TokenStore } from './port.js'

/** The methods of the port that do I/O and are required. */
export const STORE_METHODS = [
  'find',
  'list',
  'distinct',
  'commit',
  'revokeWhere',
  'events',
  'changes',
  'recordUsage',
  'usage',
  'renewLease',
  'leases',
  'consumers',
  'saveConsumer',
  'removeConsumer',
  'seals',
  'saveSeal',
  'removeEvents',
  'trimUsage',
  'saveTicket',
  'takeTicket',
] as const

/** The methods of the port that do I/O and are optional. */
export const OPTIONAL_STORE_METHODS = [
  'commitIn',
  'placeEvents',
  'renewLeases',
  'readMove',
  'saveMove',
  'restore',
  'subscribe',
  'migrate',
  'diagnose',
  'close',
] as const

/** A method of a store that does I/O. */
export type StoreMethod = (typeof STORE_METHODS)[number] | (typeof OPTIONAL_STORE_METHODS)[number]

/** Returns the methods of this store that do I/O. */
export function methodsOf(store: TokenStore): readonly StoreMethod[] {
  return [...STORE_METHODS, ...OPTIONAL_STORE_METHODS].filter((method) => typeof store[method] === 'function')
}
