import { memoryStore } from 'latchkey/stores/memory'
import { expect, it } from 'vitest'
import { methodsOf, OPTIONAL_STORE_METHODS, STORE_METHODS } from '../../src/store/methods.js'

it('The list of the methods of a store names every one that does I/O', () => {
  const store = { ...memoryStore(), migrate: () => undefined, commitIn: () => undefined, placeEvents: () => undefined }
  const doingIo = Object.keys(store).filter((key) => !['name', 'usageRows', 'reached'].includes(key))
  expect([...STORE_METHODS, ...OPTIONAL_STORE_METHODS].sort()).toEqual(doingIo.sort())
})

it('The methods of one store leave out the optional ones that it does not have', () => {
  const { subscribe: _, ...store } = memoryStore()
  expect(methodsOf(store)).toEqual([...STORE_METHODS, 'renewLeases', 'readMove', 'saveMove', 'restore', 'diagnose', 'close'])
})
