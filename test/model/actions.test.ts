import { expect, it } from 'vitest'
import { texts } from '../../src/dashboard/texts.js'
import { ACTIONS } from '../../src/model/event.js'

it('the texts of the page mention only existing audit actions', () => {
  const worded = Object.keys(texts).filter((key) => /^audit\.\w+\./.test(key))
  expect(worded.length).toBeGreaterThan(10)
  for (const key of worded) expect(ACTIONS.map((action) => `audit.${action}`)).toContain(key.split('.').slice(0, 3).join('.'))
})

it('each audit action has a unique name in the form subject.event', () => {
  for (const action of ACTIONS) expect(action).toMatch(/^(token|tokens|consumer|owner|management)\.[a-z_]+$/)
  expect(new Set(ACTIONS).size).toBe(ACTIONS.length)
})
