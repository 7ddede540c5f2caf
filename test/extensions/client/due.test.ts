import { expect, it } from 'vitest'
import { dueOf } from '../../../src/extensions/client/due.js'

const NOW = Date.UTC(2030, 0, 1)
const HOUR = 3_600_000
const at = (hours: number): string => new Date(NOW + hours * HOUR).toISOString()
const due = (fields: object): { hours: number; ageing: boolean } => {
  const { delayMs, ageing } = dueOf({ id: 'a'.repeat(16), createdAt: at(0), ...fields }, NOW, HOUR)
  return { hours: delayMs / HOUR, ageing }
}

it('a token with no rotation schedule and no expiry is never due', () => {
  expect(due({}).hours).toBe(Number.POSITIVE_INFINITY)
})

it('a token is due at two thirds of its lifetime or at its scheduled time, whichever comes first', () => {
  expect(due({ expiresAt: at(30) })).toEqual({ hours: 20, ageing: true })
  expect(due({ rotationDueAt: at(10) })).toEqual({ hours: 10, ageing: false })
  expect(due({ expiresAt: at(30), rotationDueAt: at(10) })).toEqual({ hours: 10, ageing: false })
  expect(due({ expiresAt: at(30), rotationDueAt: at(25) })).toEqual({ hours: 20, ageing: true })
  expect(due({ createdAt: at(-40), expiresAt: at(2), rotationDueAt: at(1) })).toEqual({ hours: -12, ageing: true })
})

it('a token whose lifetime is shorter than four overlaps is not rotated because of its age', () => {
  expect(due({ expiresAt: at(4) })).toEqual({ hours: (4 * 2) / 3, ageing: true })
  expect(due({ expiresAt: at(3.9) }).hours).toBe(Number.POSITIVE_INFINITY)
  expect(due({ expiresAt: at(3.9), rotationDueAt: at(1) })).toEqual({ hours: 1, ageing: false })
})

it('due() ignores invalid timestamps', () => {
  expect(due({ expiresAt: 'soon', rotationDueAt: '' }).hours).toBe(Number.POSITIVE_INFINITY)
  expect(due({ createdAt: 'once', expiresAt: at(30) })).toEqual({ hours: 20, ageing: true })
})
