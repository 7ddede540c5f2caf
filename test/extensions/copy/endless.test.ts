import { copy } from 'latchkey/copy'
import { memoryStore } from 'latchkey/stores/memory'
import { expect, it } from 'vitest'
import type { StoredEvent } from '../../../src/model/event.js'
import type { TokenStore } from '../../../src/store/port.js'
import { mint } from '../../latchkey/harness.js'
import { storedEvent } from '../../support/records.js'
import { nodeOver } from './world.js'

/** Far more calls than the copy may make. Beyond them, the test fails instead of hanging. */
const LONGEST = 50_000

it('a copy ends, and lifts its fence, even if the old store always has more events without a position', async () => {
  let calls = 0
  const placed = Array.from({ length: 100 }, (_, at) => storedEvent({ prefix: 'acme_test', id: `e${at}` }))
  const placeEvents = (): readonly StoredEvent[] => {
    calls += 1
    if (calls > LONGEST) throw new Error('queried endlessly')
    return placed
  }
  const from: TokenStore = { ...memoryStore(), placeEvents }
  const [old, now] = [nodeOver(from), nodeOver(memoryStore())]
  await mint(old)
  await expect(copy(old, now, { step: 'fence' })).rejects.toMatchObject({
    code: 'store_unavailable',
    message: expect.stringContaining('always has more events to place'),
  })
  await mint(old)
})
