import { expect, it } from 'vitest'
import { Budget } from '../../src/cache/budget.js'

it('a heavily overdrawn budget is available again after the time needed to refill two bursts', () => {
  let now = 0
  const budget = new Budget({ burst: 10, perSecond: 10 }, () => now)
  for (let call = 0; call < 1000; call += 1) budget.spend('a')
  now += 1000
  expect(budget.spent('a')).toBe(true)
  now += 1100
  expect([budget.spent('a'), budget.spent('b')]).toEqual([false, false])
})

it('a budget must repay every overdrawn call, up to its maximum debt, before it is available again', () => {
  let now = 0
  const budget = new Budget({ burst: 10, perSecond: 10, debt: 50 }, () => now)
  for (let call = 0; call < 60; call += 1) budget.spend('a')
  now += 5050
  expect(budget.spent('a')).toBe(true)
  now += 100
  expect(budget.spent('a')).toBe(false)
})

it('a refunded charge costs nothing', () => {
  const budget = new Budget({ burst: 2, perSecond: 1 }, () => 0)
  for (let call = 0; call < 100; call += 1) {
    budget.spend('a')
    budget.refund('a')
  }
  expect([budget.spent('a'), budget.isCharged('a')]).toEqual([false, false])
  budget.spend('a')
  budget.spend('a')
  expect(budget.spent('a')).toBe(true)
  budget.refund('a')
  expect([budget.spent('a'), budget.isCharged('a')]).toEqual([false, true])
})

it('an overdrawn budget is not forgotten when many other keys are charged once', () => {
  let now = 0
  const budget = new Budget({ burst: 20, perSecond: 1 }, () => now)
  for (let call = 0; call < 30; call += 1) budget.spend('victim')
  for (let other = 0; other < 30_000; other += 1) {
    budget.spend(`other ${other}`)
    now += 0.1
  }
  expect(budget.spent('victim')).toBe(true)
})

it('budgets that are full again are forgotten when there are too many keys', () => {
  let now = 0
  const budget = new Budget({ burst: 2, perSecond: 1 }, () => now)
  for (let key = 0; key < 10_000; key += 1) budget.spend(`old ${key}`)
  now += 60_000
  budget.spend('new')
  expect([budget.isCharged('old 0'), budget.isCharged('old 9999'), budget.isCharged('new')]).toEqual([false, false, true])
})
