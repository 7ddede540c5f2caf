import { describe, expect, test } from 'vitest'
import { readDuration } from '../../src/policy/duration.js'

const refused = (field: string, message?: RegExp) =>
  expect.objectContaining({ code: 'invalid_input', field, ...(message !== undefined && { message: expect.stringMatching(message) }) })

describe('durations', () => {
  test.each([
    [1, 1],
    [86_400, 86_400],
    [3_155_760_000, 3_155_760_000],
    ['30s', 30],
    ['15m', 900],
    ['12h', 43_200],
    ['90d', 7_776_000],
    ['2w', 1_209_600],
    ['007d', 604_800],
  ])('readDuration() reads %s as %s seconds', (input, seconds) => {
    expect(readDuration('expiresIn', input)).toBe(seconds)
  })

  test('readDuration() states a limit in the units of the input', () => {
    const limits = { min: 120, max: 7_776_000 }
    expect(() => readDuration('overlap', '100d', limits)).toThrow(refused('overlap', /must be at most 90d, not "100d"$/))
    expect(() => readDuration('overlap', '1s', limits)).toThrow(refused('overlap', /must be at least 2m, not "1s"$/))
    expect(() => readDuration('overlap', 8_000_000, limits)).toThrow(refused('overlap', /must be at most 7776000 seconds, not 8000000; if/))
    expect(() => readDuration('overlap', '9w', { min: 0, max: 0.5 })).toThrow(refused('overlap', /must be at most 0.5 seconds, not "9w"$/))
  })

  test('readDuration() points out a number that is probably in milliseconds', () => {
    const deadline = { min: 0.01, max: 300, fraction: true } as const
    expect(() => readDuration('deadline', 2000, deadline)).toThrow(
      refused('deadline', /not 2000; if this is in milliseconds, convert it to seconds$/),
    )
    expect(() => readDuration('deadline', 400, deadline)).toThrow(refused('deadline', /must be at most 300 seconds, not 400$/))
    expect(() => readDuration('deadline', 4_000_000, deadline)).toThrow(refused('deadline', /must be at most 300 seconds, not 4000000$/))
  })

  test('readDuration() accepts zero only if the minimum allows it', () => {
    for (const zero of [0, '0s', '0d']) {
      expect(readDuration('overlap', zero, { min: 0, max: 60 })).toBe(0)
      expect(() => readDuration('expiresIn', zero)).toThrow(refused('expiresIn', /at least 1/))
    }
  })

  test('readDuration() accepts a fraction of a second only if the option allows it', () => {
    expect(readDuration('deadline', 0.05, { min: 0.01, fraction: true })).toBe(0.05)
    expect(() => readDuration('expiresIn', 1.5)).toThrow(refused('expiresIn', /whole seconds/))
  })

  const bad: [string, unknown, RegExp?][] = [
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['a negative number', -1, /at least 1/],
    ['milliseconds', 86_400_000 * 90, /milliseconds/],
    ['an instant', 1_900_000_000_000, /milliseconds/],
    ['more than a century as a string', '6000w', /a hundred years/],
    ['digits in a string', '60', /a unit such as/],
    ['months, which vary in length', '3M'],
    ['a year', '1y'],
    ['words', '90 days'],
    ['a blank', '90 d'],
    ['a fraction with a unit', '1.5h'],
    ['a sign', '+90d'],
    ['an uppercase unit', '90D'],
    ['digits of another script', '٩٠d'],
    ['ISO 8601', 'P90D'],
    ['too many digits', '12345678901s'],
    ['__proto__', '__proto__'],
    ['a bigint', 60n],
    ['a Date', new Date()],
    ['undefined', undefined],
    ['null', null],
    ['true', true],
    ['a list', [60]],
    ['an object that converts to a number', { valueOf: () => 60 }],
  ]
  test.each(bad)('readDuration() rejects %s and names the field', (_name, input, message) => {
    expect(() => readDuration('expiresIn', input)).toThrow(refused('expiresIn', message))
  })

  test('readDuration() rejects a value above its maximum', () => {
    expect(() => readDuration('expiresIn', '2m', { max: 60 })).toThrow(refused('expiresIn', /at most 1m/))
  })
})
