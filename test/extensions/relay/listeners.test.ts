import { relayedStore } from 'latchkey/relay'
import { memoryStore } from 'latchkey/stores/memory'
import { expect, it, vi } from 'vitest'
import { FAILING_LISTENERS } from '../../support/failing-listeners.js'

const KEY = 'a key of the relay with 32 characters'

it.each(FAILING_LISTENERS)(
  'a warning listener that %s does not end the process when an unknown sender writes to the channel',
  async (_, fail) => {
    const hearers: ((message: string) => void)[] = []
    const transport = {
      publish: () => undefined,
      subscribe(_: string, hear: (message: string) => void) {
        hearers.push(hear)
        return () => undefined
      },
    }
    let warnings = 0
    // Not a mock, because mocks handle the rejection.
    const onWarning = (): unknown => {
      warnings += 1
      return fail()
    }
    const rejected: unknown[] = []
    const note = (reason: unknown): void => void rejected.push(reason)
    process.on('unhandledRejection', note)
    const store = relayedStore(memoryStore(), { transport, key: KEY, onWarning })
    try {
      const stop = await store.subscribe?.(() => undefined)
      await vi.waitFor(() => expect(hearers).not.toEqual([]))
      hearers[0]?.('a message from a stranger, long enough to be read '.repeat(3))
      expect(warnings).toBe(1)
      await new Promise((resolve) => setTimeout(resolve))
      await stop?.()
    } finally {
      await store.close?.()
      process.off('unhandledRejection', note)
    }
    expect(rejected).toEqual([])
  },
)
