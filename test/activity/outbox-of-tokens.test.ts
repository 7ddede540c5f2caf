import { expect, it } from 'vitest'
import { Outbox } from '../../src/activity/outbox.js'
import type { GuardedStore } from '../../src/store/guarded-store.js'
import { storedEvent } from '../support/records.js'

/** An outbox whose store has this many events to place, and the token IDs of each call. */
function world(count: number) {
  const calls: (readonly string[] | undefined)[] = []
  let left = count
  const store = {
    name: 'fake',
    async placeEvents(_prefix: string, tokenIds?: readonly string[]) {
      calls.push(tokenIds)
      const size = Math.min(left, 100)
      left -= size
      return Array.from({ length: size }, () => storedEvent({ prefix: 'acme' }))
    },
  }
  const ignored = (): void => undefined
  const options = { prefix: 'acme', monotonic: () => 0, announce: ignored, committed: ignored }
  return { calls, outbox: new Outbox(store as unknown as GuardedStore, options) }
}

it('a change to many tokens places the events of all of them, in several batches if necessary', async () => {
  const { calls, outbox } = world(150)
  await outbox.placeOf(['a', 'b'])
  expect(calls).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ])
})

it('a caller that must not wait for all events places a limited number of batches', async () => {
  const { calls, outbox } = world(1_000)
  await outbox.placeBatches(3)
  expect(calls).toHaveLength(3)
})
