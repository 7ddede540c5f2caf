import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { Follower } from '../../src/cache/follower.js'
import { Loader } from '../../src/cache/loader.js'
import { GuardedStore } from '../../src/store/guarded-store.js'
import type { ReadAge } from '../../src/store/port.js'
import { Background } from '../../src/store/timer.js'
import { until } from '../latchkey/harness.js'

const report = (): void => undefined

function loader(position: string | undefined) {
  const ages: (string | undefined)[] = []
  const store = interceptStore(memoryStore(), ({ method, args }, proceed) => {
    if (method === 'find') ages.push((args[1] as ReadAge | undefined)?.notBefore)
    return proceed()
  })
  const options = { deadlineMs: 1000, monotonic: () => performance.now(), report }
  const guarded = new GuardedStore(store, 1000, options.monotonic, report)
  const following = () => ({ epoch: 1, position })
  return { ages, loader: new Loader(guarded, following, (_load, record) => record, options) }
}

describe('a read of records', () => {
  it('a read may be as old as the last feed read if every waiting caller accepts cached data', async () => {
    const { ages, loader: it } = loader('7')
    await it.load('a', true)
    expect(ages).toEqual(['7'])
  })

  it('records are read from the primary if the feed is not followed', async () => {
    const { ages, loader: it } = loader(undefined)
    await it.load('a', true)
    expect(ages).toEqual([undefined])
  })

  it('a shared read goes to the primary if one of its callers must not get cached data', async () => {
    const { ages, loader: it } = loader('7')
    await it.load('a', false)
    await Promise.all([it.load('a', true), it.load('b', false), it.load('c', true)])
    expect(ages).toEqual([undefined, undefined])
  })

  it('a read moves to the primary if a caller that must not get cached data joins it', async () => {
    const { ages, loader: it } = loader('7')
    await Promise.all([it.load('a', true), it.load('a', false)])
    expect(ages).toEqual([undefined])
  })
})

describe('a position of the feed', () => {
  it('offers a feed position only if its read began after the given instant, and only within the bound', async () => {
    let now = 1000
    const monotonic = () => now
    const background = new Background()
    const guarded = new GuardedStore(memoryStore(), 1000, monotonic, report)
    const listener = {
      changed: report,
      bulkChanged: report,
      ownerChanged: report,
      everythingChanged: report,
      lost: report,
    }
    const options = { nodeId: () => 'n', maxStalenessMs: 60_000, deadlineMs: 1000, clock: () => now, monotonic, report, background }
    const follower = new Follower(guarded, listener, options)
    expect(follower.positionSince(0)).toBeUndefined()
    follower.start()
    await until(() => follower.isFresh())
    expect(follower.positionSince(999)).toEqual(expect.any(String))
    expect(follower.positionSince(1000)).toBeUndefined()
    now += 60_000
    expect(follower.positionSince(999)).toBeUndefined()
    await follower.stop()
  })
})
