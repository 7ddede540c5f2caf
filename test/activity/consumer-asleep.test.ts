import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { afterEach, expect, it, vi } from 'vitest'
import { ConsumerClaim } from '../../src/activity/consumer-claim.js'
import { createElapsedClock } from '../../src/cache/elapsed.js'
import { GuardedStore } from '../../src/store/guarded-store.js'
import type { TokenStore } from '../../src/store/port.js'
import { instance, mint, trail, until } from '../latchkey/harness.js'

const HOUR = 3_600_000

afterEach(() => {
  vi.restoreAllMocks()
})

/** A node whose monotonic clock stops while its machine sleeps. */
function node(holder: string, store: TokenStore) {
  const at = { monotonic: 1_000, wall: 1_700_000_000_000 }
  const monotonic = (): number => at.monotonic
  const guarded = new GuardedStore(
    store,
    60_000,
    () => 0,
    () => undefined,
  )
  const claim = new ConsumerClaim(guarded, {
    prefix: 'acme_test',
    name: 'siem',
    holder,
    from: 'start',
    monotonic,
    elapsed: createElapsedClock(monotonic, () => at.wall),
  })
  return {
    claim,
    pass(ms: number) {
      at.monotonic += ms
      at.wall += ms
    },
    sleep(ms: number) {
      at.wall += ms
    },
  }
}

it("two nodes never hold the same consumer, even after one node's machine was asleep", async () => {
  const store = memoryStore()
  const [reader, other] = [node('reader', store), node('other', store)]
  expect(await reader.claim.hold()).toBe(true)
  expect(await other.claim.hold()).toBe(false)
  reader.sleep(6_001)
  other.pass(6_001)
  expect(await other.claim.hold()).toBe(true)
  expect([reader.claim.held, await reader.claim.hold()]).toEqual([false, false])
  expect([other.claim.held, await other.claim.hold()]).toEqual([true, true])
})

it('a consumer continues where it stopped after its machine has been asleep, if no other node read in the meantime', async () => {
  const reader = node('reader', memoryStore())
  await reader.claim.hold()
  reader.claim.moveTo(7)
  reader.sleep(HOUR)
  expect([reader.claim.held, await reader.claim.hold(), reader.claim.position]).toEqual([false, true, 7])
})

it('a node does not hold a consumer if its machine slept while the claim was being written', async () => {
  const store = memoryStore()
  const [reader, other] = [
    node(
      'reader',
      interceptStore(store, ({ method }, proceed) => asleep(method, proceed)),
    ),
    node('other', store),
  ]
  let left = 1
  const asleep = async (method: string, proceed: () => unknown): Promise<unknown> => {
    const answer = await proceed()
    if (method !== 'saveConsumer' || left-- <= 0) return answer
    expect(await other.claim.hold()).toBe(false)
    other.pass(6_001)
    expect(await other.claim.hold()).toBe(true)
    reader.sleep(6_001)
    return answer
  }
  expect([await reader.claim.hold(), reader.claim.held]).toEqual([false, false])
})

it('a waiting node does not take over early from a working node when its own wall clock jumps ahead', async () => {
  const store = memoryStore()
  const [reader, other] = [node('reader', store), node('other', store)]
  await reader.claim.hold()
  await other.claim.hold()
  other.sleep(HOUR)
  expect([await other.claim.hold(), reader.claim.held]).toEqual([false, true])
})

it('a node delivers no more events after a sleep during which another node took over its consumer', async () => {
  const store = memoryStore()
  const tokens = instance({ store, notices: false })
  for (const name of ['One', 'Two', 'Three', 'Four']) await mint(tokens, { name })
  const [stopped, wall] = [performance.now(), Date.now()]
  const seen: string[] = []
  let woken = 0
  tokens.system.consume('siem', async ({ id }) => {
    seen.push(id)
    if (seen.length !== 2) return
    vi.spyOn(performance, 'now').mockImplementation(() => stopped + 1_000 + woken)
    const [row] = await store.consumers('acme_test')
    if (row === undefined) throw new Error('nobody reads')
    // The other node has handled all events and is waiting for more.
    await store.saveConsumer({ ...row, holder: 'other', version: row.version + 1, position: 4 })
    vi.spyOn(Date, 'now').mockImplementation(() => wall + HOUR)
  })
  await until(() => seen.length >= 2)
  for (let turn = 0; turn < 20; turn += 1) {
    woken += 10
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect(seen).toEqual((await trail(tokens)).slice(0, 2))
})
