import { memoryStore } from 'latchkey/stores/memory'
import { storeContract } from 'latchkey/testing'
import { describe, it } from 'vitest'

storeContract(
  { describe, it },
  {
    name: 'memory',
    create() {
      const store = memoryStore()
      return { store, reopen: () => store }
    },
  },
)
