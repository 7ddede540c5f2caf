import { memoryStore } from 'latchkey/stores/memory'
import { storeContract } from 'latchkey/testing'
import { describe, it } from 'vitest'

storeContract(
  { describe, it },
  {
    name: 'memory',
    create() {
      const store = memoryStore()
      // More owners at once than the feed keeps of its history.
      const ownersChanged = Array.from({ length: 100_001 }, (_, index) => `owner-${index}`)
      return { store, reopen: () => store, trimFeed: () => store.commit({ ownersChanged, events: [] }) }
    },
  },
)
