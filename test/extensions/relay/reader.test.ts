import { memoryStore } from 'latchkey/stores/memory'
import { expect, it } from 'vitest'
import { Reader } from '../../../src/extensions/relay/reader.js'
import { FakeTime } from './fake-time.js'

it('a reader that leaves waits for every renewal that is being written, not only for the last one', async () => {
  const time = new FakeTime()
  const writes: (() => void)[] = []
  const store = { ...memoryStore(), renewLeases: () => new Promise<void>((resolve) => writes.push(resolve)) }
  const clock = {
    now: () => time.now(),
    random: () => time.random(),
    after: (ms: number, run: () => void) => time.after(ms, run),
  }
  const reader = new Reader(store, clock, undefined, () => undefined)
  for (const nodeId of ['slow', 'quick']) {
    reader.ask({ ask: { kind: 'lease', nonce: nodeId, lease: { nodeId, cursor: '0', expiresAt: 1 } }, answer: () => undefined })
    await time.pass(1_000)
  }
  const [slow, quick] = writes
  let settled = false
  const done = reader.settled().then(() => {
    settled = true
  })
  quick?.()
  await time.pass(10)
  expect([writes.length, settled]).toEqual([2, false])
  slow?.()
  await done
  reader.stop()
})
