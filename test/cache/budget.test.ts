import { expect, it } from 'vitest'
import { Budget } from '../../src/cache/budget.js'

it('a budget that was overdrawn by far is available again after the time of two bursts', () => {
  let now = 0
  const budget = new Budget({ burst: 10, perSecond: 10 }, () => now)
  for (let call = 0; call < 1000; call += 1) budget.spend('a')
  now += 1000
  expect(budget.spent('a')).toBe(true)
  now += 1100
  expect([budget.spent('a'), budget.spent('b')]).toEqual([false, false])
})
