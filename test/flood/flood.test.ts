import { describe, expect, it } from 'vitest'
import { GuessingBudget } from '../../src/cache/guessing.js'
import { complaints, runFlood, tell } from './run-flood.js'

// `npm run test:flood` sends ten million tokens.
const FORGED = 300_000

describe('a flood of distinct forged tokens', { timeout: 120_000 }, () => {
  it('without a pepper, a flood of forged tokens overloads neither memory nor the store, and valid tokens are accepted', async () => {
    const flooded = await runFlood({ forged: FORGED, pepper: false })
    console.log(tell(flooded, false))
    expect(complaints(flooded)).toEqual([])
    expect(Object.keys(flooded.codes).sort()).toEqual(['store_unavailable', 'token_malformed', 'token_unknown'])
    expect(flooded.storeReads).toBeGreaterThan(0)
  })

  it('with a pepper, a flood of forged tokens never reaches the store', async () => {
    const flooded = await runFlood({ forged: FORGED, pepper: true })
    console.log(tell(flooded, true))
    expect(complaints(flooded)).toEqual([])
    expect(flooded.storeReads).toBe(0)
    expect(flooded.codes).toEqual({ token_malformed: FORGED })
  })
})

describe('concurrent guesses from one address', () => {
  it('an address that overdraws its guessing budget is throttled, and served again after six seconds', () => {
    let now = 0
    const budget = new GuessingBudget(() => now)
    // A thousand guesses were admitted before the first was answered.
    for (let guess = 0; guess < 1000; guess += 1) budget.spend('192.0.2.1')
    now += 1000
    expect(budget.spent('192.0.2.1')).toBe(true)
    // However many guesses were admitted, the address is served again after a while.
    for (let guess = 0; guess < 100_000; guess += 1) budget.spend('192.0.2.1')
    now += 6000
    expect(budget.spent('192.0.2.1')).toBe(false)
  })

  it('charges guesses to the whole IPv6 network of an address', () => {
    const budget = new GuessingBudget(() => 0)
    for (let guess = 0; guess < 500; guess += 1) budget.spend(`2001:db8:1:2:${guess.toString(16)}::1`)
    expect(budget.spent('2001:db8:1:2::9')).toBe(true)
    expect(budget.spent('2001:db8:1:3::9')).toBe(false)
  })
})
