import { describe, expect, it } from 'vitest'
import { GuessingBudget } from '../../src/cache/guessing.js'
import { complaints, runFlood, tell } from './run-flood.js'

// `npm run test:flood` sends ten million.
const JUNK = 300_000

describe('a flood of distinct tokens that nobody minted', { timeout: 60_000 }, () => {
  it('leaves memory, store and good tokens alone without a pepper', async () => {
    const flooded = await runFlood({ junk: JUNK, pepper: false })
    console.log(tell(flooded, false))
    expect(complaints(flooded)).toEqual([])
    expect(Object.keys(flooded.codes).sort()).toEqual(['store_unavailable', 'token_malformed', 'token_unknown'])
    expect(flooded.storeReads).toBeGreaterThan(0)
  })

  it('never reaches the store with a pepper', async () => {
    const flooded = await runFlood({ junk: JUNK, pepper: true })
    console.log(tell(flooded, true))
    expect(complaints(flooded)).toEqual([])
    expect(flooded.storeReads).toBe(0)
    expect(flooded.codes).toEqual({ token_malformed: JUNK })
  })
})

describe('guesses of one address that are under way at the same time', () => {
  it('are paid for before the next ones are looked up', () => {
    let now = 0
    const budget = new GuessingBudget(() => now)
    // A thousand were let in before the first was answered.
    for (let guess = 0; guess < 1000; guess += 1) budget.spend('192.0.2.1')
    now += 1000
    expect(budget.spent('192.0.2.1')).toBe(true)
    // No matter how many they were, the address is heard again after a while.
    for (let guess = 0; guess < 100_000; guess += 1) budget.spend('192.0.2.1')
    now += 6000
    expect(budget.spent('192.0.2.1')).toBe(false)
  })

  it('are those of its whole network, where it has one to itself', () => {
    const budget = new GuessingBudget(() => 0)
    for (let guess = 0; guess < 500; guess += 1) budget.spend(`2001:db8:1:2:${guess.toString(16)}::1`)
    expect(budget.spent('2001:db8:1:2::9')).toBe(true)
    expect(budget.spent('2001:db8:1:3::9')).toBe(false)
  })
})
