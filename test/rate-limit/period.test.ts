import { expect, it } from 'vitest'
import { periodOf } from '../../src/rate-limit/period.js'
import type { ReadRefill as Refill } from '../../src/rate-limit/read-options.js'

it.each<[Refill, string, string, string]>([
  ['hour', '2028-02-29T23:59:59.999Z', '2028-02-29T23:00:00.000Z', '2028-03-01T00:00:00.000Z'],
  ['day', '2028-02-29T00:00:00.000Z', '2028-02-29T00:00:00.000Z', '2028-03-01T00:00:00.000Z'],
  ['week', '2026-11-22T23:59:59.999Z', '2026-11-16T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
  ['week', '2026-11-23T00:00:00.000Z', '2026-11-23T00:00:00.000Z', '2026-11-30T00:00:00.000Z'],
  ['month', '2028-02-29T12:00:00.000Z', '2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z'],
  ['month', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  [{ every: 90 }, '1970-01-01T00:03:00.000Z', '1970-01-01T00:03:00.000Z', '1970-01-01T00:04:30.000Z'],
])('a quota by %j at %s belongs to the period from %s to %s in UTC', (refill, now, startsAt, endsAt) => {
  expect(periodOf(refill, Date.parse(now))).toEqual({ startsAt: Date.parse(startsAt), endsAt: Date.parse(endsAt) })
})
