import { expect, it } from 'vitest'
import { texts } from '../../src/dashboard/texts.js'
import { ACTIONS } from '../../src/model/event.js'

it('The page has words for audit actions under the names that they have', () => {
  const worded = Object.keys(texts).filter((key) => /^audit\.\w+\./.test(key))
  expect(worded.length).toBeGreaterThan(10)
  for (const key of worded) expect(ACTIONS.map((action) => `audit.${action}`)).toContain(key)
})

it('Every audit action is a subject and what happened to it, and there is none twice', () => {
  for (const action of ACTIONS) expect(action).toMatch(/^(token|tokens|consumer|owner|management)\.[a-z_]+$/)
  expect(new Set(ACTIONS).size).toBe(ACTIONS.length)
})
