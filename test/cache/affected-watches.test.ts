import { describe, expect, it } from 'vitest'
import { AffectedWatches } from '../../src/cache/affected-watches.js'
import type { Filtered } from '../../src/store/compile-filter.js'
import { Background } from '../../src/store/timer.js'
import { pause, until } from '../latchkey/harness.js'

const tokenOf = (id: string, tenantId: string): Filtered => ({ id, tenantId, ownerId: undefined, createdBy: 'ann', rootId: undefined })
const of = (tenant: string) => [{ prefix: 'acme_test', tenantIds: [tenant] }]

/** Watches of one token each, and one of a second token of the tenant `b`. */
function world(count: number, pauseMs = 20) {
  const watches = new Map(Array.from({ length: count }, (_, at) => [`t${at}`, { about: new Map([[`t${at}`, tokenOf(`t${at}`, 'a')]]) }]))
  watches.get('t0')?.about.set('other', tokenOf('other', 'b'))
  const found: string[] = []
  const affected = new AffectedWatches(watches, { background: new Background(), pauseMs }, (id) => void found.push(id))
  return { watches, found, affected }
}

describe('the watches that bulk changes affect', () => {
  it('includes those about a second token that matches', async () => {
    const { affected, found } = world(3)
    affected.find(of('b'))
    await until(() => found.length > 0)
    expect(found).toEqual(['t0'])
  })

  it('bulk changes that arrive during a search or the pause after it share the next search', async () => {
    const { watches, affected, found } = world(10)
    let searches = 0
    const iterate = watches[Symbol.iterator].bind(watches)
    watches[Symbol.iterator] = () => {
      searches += 1
      return iterate()
    }
    for (let at = 0; at < 50; at += 1) affected.find(of(at === 49 ? 'b' : 'nobody'))
    expect([searches, found]).toEqual([1, []])
    await until(() => found.length > 0)
    await pause(100)
    expect([searches, found]).toEqual([2, ['t0']])
    affected.find(of('b'))
    expect([searches, found]).toEqual([3, ['t0', 't0']])
  })

  it('compares at most 2,000 tokens before other work runs, and finds those that come after', async () => {
    const { affected, found, watches } = world(5_000)
    watches.set('last', { about: new Map([['last', tokenOf('last', 'c')]]) })
    let compared = 0
    for (const { about } of watches.values()) {
      const values = about.values.bind(about)
      about.values = () => {
        compared += 1
        return values()
      }
    }
    affected.find(of('c'))
    expect(compared).toBeLessThanOrEqual(2_001)
    await until(() => found.length > 0)
    expect(found).toEqual(['last'])
  })

  it('compares each token once per search, no matter how many bulk changes share it', async () => {
    const { affected, found, watches } = world(100)
    let compared = 0
    for (const { about } of watches.values()) {
      for (const token of about.values()) {
        Object.defineProperty(token, 'ownerId', {
          get() {
            compared += 1
            return 'ann'
          },
        })
      }
    }
    affected.find(of('nobody'))
    for (let at = 0; at < 500; at += 1) affected.find([{ prefix: 'acme_test', ownerId: `user-${at}` }])
    affected.find(of('b'))
    await until(() => found.length > 0)
    expect(compared).toBe(101)
  })

  it('keeps nothing while nothing is watched', async () => {
    const { affected, found, watches } = world(0)
    affected.find(of('a'))
    watches.set('late', { about: new Map([['late', tokenOf('late', 'a')]]) })
    affected.find(of('b'))
    await pause(50)
    expect(found).toEqual([])
  })
})
