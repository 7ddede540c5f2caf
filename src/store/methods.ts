import type { TokenStore } from './port.js'

/** The methods of the port that do I/O and that every store has. */
export const STORE_METHODS = [
  'find',
  'list',
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
  'seals',
  'saveSeal',
  'removeEvents',
  'trimUsage',
  'saveTicket',
  'takeTicket',
] as const

/** The methods of the port that do I/O and that a store may leave out. */
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

/** The methods of a store that do I/O, as they are on this one. */
export function methodsOf(store: TokenStore): readonly StoreMethod[] {
  return [...STORE_METHODS, ...OPTIONAL_STORE_METHODS].filter((method) => typeof store[method] === 'function')
}
