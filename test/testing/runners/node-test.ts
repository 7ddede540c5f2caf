import { describe, it } from 'node:test'
import { memoryStore } from 'latchkey/stores/memory'
import { storeContract } from 'latchkey/testing'

storeContract(
  { describe, it },
  {
    name: 'memory',
    operations: 200,
    create() {
      const store = memoryStore()
      return { store, reopen: () => store }
    },
  },
)
