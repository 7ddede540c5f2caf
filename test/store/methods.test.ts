import { memoryStore } from 'latchkey/stores/memory'
import { expect, it } from 'vitest'
import { methodsOf, OPTIONAL_STORE_METHODS, STORE_METHODS } from '../../src/store/methods.js'

it('the list of store methods contains every method that does I/O', () => {
  const store = { ...memoryStore(), migrate: () => undefined, commitIn: () => undefined, placeEvents: () => undefined }
  const doingIo = Object.keys(store).filter((key) => !['name', 'usageRows', 'reached'].includes(key))
  expect([...STORE_METHODS, ...OPTIONAL_STORE_METHODS].sort()).toEqual(doingIo.sort())
})

it('the list of store methods omits the optional methods that a store does not have', () => {
  const { subscribe: _, ...store } = memoryStore()
  expect(methodsOf(store)).toEqual([...STORE_METHODS, 'renewLeases', 'readMove', 'saveMove', 'restore', 'diagnose', 'close'])
})
