import { expect, it } from 'vitest'
import { SparingDrops } from '../../src/cache/sparing-drops.js'
import type { TokenFilter } from '../../src/store/port.js'
import { Background } from '../../src/store/timer.js'

const filter = (ownerId: string): TokenFilter => ({ prefix: 'acme', ownerId })

/** A clock that stands still until the test moves it. Timers are real. */
function sparing() {
  const visits: (readonly TokenFilter[])[] = []
  const clock = { now: 0 }
  const drops = new SparingDrops({
    drop: (filters) => void visits.push(filters),
    elapsed: () => clock.now,
    background: new Background(),
  })
  return { drops, visits, clock }
}

it('concurrent bulk revocations that match nothing share scans of the cache', async () => {
  const { drops, visits } = sparing()
  await Promise.all(Array.from({ length: 100 }, (_, at) => drops.drop(filter(`nobody ${at}`))))
  expect(visits.map(({ length }) => length)).toEqual([1, 99])
})

it('a bulk revocation that closely follows another waits until its matches are dropped from the cache', async () => {
  const { drops, visits, clock } = sparing()
  await drops.drop(filter('a'))
  const waiting = drops.drop(filter('b'))
  expect(visits).toEqual([[filter('a')]])
  await waiting
  expect(visits).toEqual([[filter('a')], [filter('b')]])
  clock.now = 50
  const atOnce = drops.drop(filter('c'))
  expect(visits.at(-1)).toEqual([filter('c')])
  await atOnce
})
