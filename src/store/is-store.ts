import { STORE_METHODS } from './methods.js'
import type { TokenStore } from './port.js'

/** Methods that every store has; the other methods of the port are optional. */
const REQUIRED = [...STORE_METHODS, 'reached'] as const satisfies readonly (keyof TokenStore)[]

/** Returns whether this value has the methods of a store. */
export function isStore(value: unknown): value is TokenStore {
  return typeof value === 'object' && value !== null && REQUIRED.every((method) => typeof Reflect.get(value, method) === 'function')
}
