import { describe, expect, test } from 'vitest'
import { type Lifecycle, refusalOf, statusOf } from '../../src/policy/status.js'
import { fc } from '../support/property.js'

const NOW = 1_900_000_000_000
const both = (token: object, now: number = NOW) => [statusOf(token as Lifecycle, now), refusalOf(token as Lifecycle, now)]

test('a token without instants is active', () => {
  expect(both({})).toEqual(['active', undefined])
})

test('expiry is exact to the millisecond: a token is valid before that instant and expired from that instant on', () => {
  expect(both({ expiresAt: NOW + 1 })).toEqual(['active', undefined])
  expect(both({ expiresAt: NOW })).toEqual(['expired', 'token_expired'])
  expect(both({ expiresAt: NOW - 1 })).toEqual(['expired', 'token_expired'])
})

test('notBefore is exact to the millisecond: a token is valid from that instant on', () => {
  expect(both({ notBefore: NOW + 1 })).toEqual(['pending', 'token_not_yet_valid'])
  expect(both({ notBefore: NOW })).toEqual(['active', undefined])
  expect(both({ notBefore: NOW - 1 })).toEqual(['active', undefined])
})

test('the status is the first that applies of revoked, inactive, pending and expired', () => {
  const all = { revokedAt: NOW - 1, deactivatedAt: NOW - 1, notBefore: NOW + 1, expiresAt: NOW - 1 }
  expect(both(all)).toEqual(['revoked', 'token_revoked'])
  expect(both({ ...all, revokedAt: undefined })).toEqual(['inactive', 'token_inactive'])
  expect(both({ ...all, revokedAt: undefined, deactivatedAt: undefined })).toEqual(['pending', 'token_not_yet_valid'])
  expect(both({ expiresAt: NOW - 1 })).toEqual(['expired', 'token_expired'])
})

test('a revocation with a future timestamp counts, because clocks of nodes differ', () => {
  expect(both({ revokedAt: NOW + 1e9 })).toEqual(['revoked', 'token_revoked'])
  expect(both({ deactivatedAt: NOW + 1e9 })).toEqual(['inactive', 'token_inactive'])
})

describe('corrupt instants', () => {
  const corrupt: [string, unknown][] = [
    ['NaN', Number.NaN],
    ['null', null],
    ['an empty string', ''],
    ['a string of digits', '99999999999999'],
    ['a Date', new Date(NOW * 2)],
    ['true', true],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['minus Infinity', Number.NEGATIVE_INFINITY],
    ['a list', [NOW * 2]],
    ['an object that converts to a number', { valueOf: () => NOW }],
    ['a bigint', 99_999_999_999_999n],
    ['an instant beyond the year 9999', 1e15],
  ]
  test.each(corrupt)('a token with %s as an instant is refused', (_name, instant) => {
    expect(both({ expiresAt: instant })).toEqual(['expired', 'token_expired'])
    expect(both({ notBefore: instant })).toEqual(['pending', 'token_not_yet_valid'])
    expect(both({ deactivatedAt: instant })).toEqual(['inactive', 'token_inactive'])
    expect(both({ revokedAt: instant })).toEqual(['revoked', 'token_revoked'])
    expect(refusalOf({}, instant as number)).toBe('token_expired')
    expect(refusalOf({ expiresAt: NOW * 2, notBefore: 1e11 }, instant as number)).toBeDefined()
  })
})

test('status and refusal agree for every token', () => {
  const instant = fc.option(fc.integer({ min: NOW - 2, max: NOW + 2 }), { nil: undefined })
  const lives = fc.record({ revokedAt: instant, deactivatedAt: instant, notBefore: instant, expiresAt: instant })
  fc.assert(
    fc.property(lives, (life) => {
      const [status, refusal] = both(life)
      const good = life.revokedAt === undefined && life.deactivatedAt === undefined
      expect(refusal === undefined).toBe(status === 'active')
      expect(refusal === undefined).toBe(good && (life.notBefore ?? 0) <= NOW && NOW < (life.expiresAt ?? Number.POSITIVE_INFINITY))
    }),
    { numRuns: 1000 },
  )
})
