import type { TokenStore } from './port.js'

/** What every store must have; the other methods of the port are optional. */
const METHODS = [
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
  'reached',
] as const satisfies readonly (keyof TokenStore)[]

/** Has this the methods of a store? */
export function isStore(value: unknown): value is TokenStore {
  return typeof value === 'object' && value !== null && METHODS.every((method) => typeof Reflect.get(value, method) === 'function')
}
