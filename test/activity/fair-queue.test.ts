import { expect, it } from 'vitest'
import { FairQueue } from '../../src/activity/fair-queue.js'

const put = (queue: FairQueue<string>, from: string, about: string): void =>
  queue.put(`${from} ${about}`, { from, about }, `${from} ${about}`)
const order = (queue: FairQueue<string>): readonly string[] => queue.inTurn().map(([key]) => key)

it('a newcomer is served early, whether one caller names many tenants or many callers name one tenant', () => {
  const oneCaller = new FairQueue<string>(1000)
  for (let at = 0; at < 500; at += 1) put(oneCaller, 'mallory', `tenant ${at}`)
  put(oneCaller, 'eve', 'acme')
  expect(order(oneCaller).indexOf('eve acme')).toBeLessThan(2)
  const oneTenant = new FairQueue<string>(1000)
  for (let at = 0; at < 500; at += 1) put(oneTenant, `caller ${at}`, 'mine')
  put(oneTenant, 'eve', 'acme')
  expect(order(oneTenant).indexOf('eve acme')).toBeLessThan(2)
})

it('a second tenant of a flooding caller is served early', () => {
  const queue = new FairQueue<number>(1000)
  for (let at = 0; at < 500; at += 1) queue.put(`flood ${at}`, { from: 'mallory', about: 'mine' }, at)
  queue.put('theft', { from: 'mallory', about: 'acme' }, 500)
  expect(
    queue
      .inTurn()
      .map(([key]) => key)
      .indexOf('theft'),
  ).toBeLessThan(2)
})

it("an entry also caused by another party moves up to that party's turn, and never moves back", () => {
  const queue = new FairQueue<number>(1000)
  for (let at = 0; at < 500; at += 1) queue.put(`flood ${at}`, { from: 'mallory', about: `tenant ${at}` }, at)
  queue.put('theft', { from: 'mallory', about: 'acme' }, 500)
  const turn = (): number => queue.inTurn().findIndex(([key]) => key === 'theft')
  expect(turn()).toBe(500)
  queue.causedAlsoBy('theft', 'eve')
  expect(turn()).toBeLessThan(2)
  queue.causedAlsoBy('theft', 'mallory')
  expect(turn()).toBeLessThan(2)
  expect([queue.remove('theft'), queue.remove('theft'), queue.size]).toEqual([true, false, 500])
})

it('a full queue drops the entries of the busiest party, and admits every newcomer', () => {
  const dropped: string[] = []
  const queue = new FairQueue<string>(80, (value) => dropped.push(value))
  put(queue, 'ada', 'acme')
  for (let at = 0; at < 500; at += 1) put(queue, 'mallory', `tenant ${at}`)
  put(queue, 'eve', 'globex')
  expect(queue.size).toBeLessThanOrEqual(80)
  expect(queue.size + dropped.length).toBe(502)
  expect(order(queue)).toEqual(expect.arrayContaining(['ada acme', 'eve globex']))
  expect(dropped.every((value) => value.startsWith('mallory'))).toBe(true)
})

it('a recently served party waits behind the others', () => {
  const served = new Set(['mallory tenant 0', 'mallory tenant 1'])
  const queue = new FairQueue<string>(
    80,
    () => undefined,
    (value) => served.has(value),
  )
  for (let at = 2; at < 10; at += 1) put(queue, 'mallory', `tenant ${at}`)
  for (const value of served) put(queue, 'mallory', value.slice('mallory '.length))
  put(queue, 'eve', 'acme')
  expect(order(queue).filter((key) => !served.has(key))[0]).toBe('eve acme')
})
