import type { TokenStore } from './port.js'

type Counts = { get(store: object): unknown; set(store: object, users: number): unknown }

/** Counts the users of a store across all copies of this package, so that only the last one closes it. */
const USERS = Symbol.for('latchkey.storeUsers')

const own: Counts = new WeakMap<object, number>()

/** Registers an instance as a user of the store. */
export function share(store: TokenStore): void {
  write(store, usersOf(store) + 1)
}

/** Unregisters an instance, and returns whether another one still uses the store. */
export function leave(store: TokenStore): boolean {
  const left = Math.max(usersOf(store) - 1, 0)
  write(store, left)
  return left > 0
}

function usersOf(store: object): number {
  const users = counts().get(store)
  return typeof users === 'number' && Number.isSafeInteger(users) && users > 0 ? users : 0
}

function write(store: object, users: number): void {
  counts().set(store, users)
}

function counts(): Counts {
  const shared: unknown = Reflect.get(globalThis, USERS)
  if (isCounts(shared)) return shared
  Reflect.set(globalThis, USERS, own)
  return own
}

function isCounts(value: unknown): value is Counts {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'get') === 'function' &&
    typeof Reflect.get(value, 'set') === 'function'
  )
}
