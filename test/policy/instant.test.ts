import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { MAX_INSTANT, readClock, readInstant } from '../../src/policy/instant.js'
import { wholeMilliseconds } from '../../src/store/host-clock.js'
import { fc } from '../support/property.js'

const refused = (field: string, message?: RegExp) =>
  expect.objectContaining({ code: 'invalid_input', field, message: expect.stringMatching(message ?? new RegExp(`^${field}: `)) })

describe('instants', () => {
  const accepted: [unknown, number][] = [
    [0, 0],
    [-0, 0],
    [1e11, 1e11],
    [1_900_000_000_123, 1_900_000_000_123],
    [MAX_INSTANT, 253_402_300_799_999],
    [new Date(1_900_000_000_123), 1_900_000_000_123],
    [new Date(0), 0],
    [runInNewContext('new Date(1900000000123)'), 1_900_000_000_123],
    ['2030-03-17T17:46:40.123Z', 1_900_000_000_123],
    ['2030-03-17T19:46:40.123+02:00', 1_900_000_000_123],
    ['2030-03-17T12:16:40.123-0530', 1_900_000_000_123],
    ['2030-03-17t17:46:40,123z', 1_900_000_000_123],
    ['2030-03-17T17:46:40.123999999Z', 1_900_000_000_123],
    ['2030-03-17T17:46:40.1Z', 1_900_000_000_100],
    ['2030-03-17T17:46Z', 1_899_999_960_000],
    ['2028-02-29T00:00:00Z', Date.UTC(2028, 1, 29)],
    ['1970-01-01T00:00:00Z', 0],
    ['9999-12-31T23:59:59.999Z', MAX_INSTANT],
  ]
  test.each(accepted)('readInstant() reads %s', (input, expected) => {
    expect(Object.is(readInstant('expiresAt', input), expected)).toBe(true)
  })

  const bad: [string, unknown, RegExp?][] = [
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['minus Infinity', Number.NEGATIVE_INFINITY],
    ['a negative number', -1, /before 1970/],
    ['a fraction', 1_900_000_000_000.5, /whole number of milliseconds/],
    ['seconds', 1_900_000_000, /looks like seconds; pass milliseconds/],
    ['the number one', 1, /looks like seconds/],
    ['a Date created from seconds', new Date(1_900_000_000), /looks like seconds/],
    ['microseconds', 1_900_000_000_000_000, /beyond the year 9999/],
    ['one millisecond past the year 9999', MAX_INSTANT + 1, /beyond the year 9999/],
    ['a bigint', 1_900_000_000_000n],
    ['digits in a string', '1900000000000', /ISO 8601/],
    ['nothing', undefined],
    ['null', null],
    ['true', true],
    ['a list', [1_900_000_000_000]],
    ['an object', {}],
    ['an object that turns into a number', { valueOf: () => 1_900_000_000_000, getTime: () => 1_900_000_000_000 }],
    ['a symbol', Symbol('now')],
    ['a function', () => 1_900_000_000_000],
    ['a proxy of a Date', new Proxy(new Date(), {})],
    ['an invalid Date', new Date('junk'), /invalid Date/],
    ['a Date in the year 275760', new Date(8.64e15), /beyond the year 9999/],
    ['a Date before 1970', new Date(-1), /before 1970/],
    ['an empty string', '', /ISO 8601/],
    ['a blank', ' '],
    ['a word', 'tomorrow'],
    ['a date alone', '2030-01-31', /date, time and zone/],
    ['no zone', '2030-01-31T12:00:00', /date, time and zone/],
    ['the 30th of February', '2026-02-30T00:00:00Z', /not a calendar date/],
    ['the 30th of February, date alone', '2026-02-30'],
    ['the 29th of February of a common year', '2027-02-29T00:00:00Z', /not a calendar date/],
    ['month 0', '2030-00-10T00:00:00Z', /not a calendar date/],
    ['month 13', '2030-13-10T00:00:00Z', /not a calendar date/],
    ['day 0', '2030-01-00T00:00:00Z', /not a calendar date/],
    ['hour 24', '2030-01-01T24:00:00Z', /not a calendar date/],
    ['minute 60', '2030-01-01T00:60:00Z', /not a calendar date/],
    ['second 60', '2030-01-01T00:00:60Z', /not a calendar date/],
    ['a leap second', '2030-12-31T23:59:60Z', /not a calendar date/],
    ['an offset of a day', '2030-01-01T00:00:00+24:00', /not a calendar date/],
    ['the year 275760', '+275760-09-13T00:00:00.000Z', /ISO 8601/],
    ['a year of five digits', '10000-01-01T00:00:00Z', /ISO 8601/],
    ['beyond the year 9999 in UTC', '9999-12-31T23:59:59Z'.replace('Z', '-01:00'), /beyond the year 9999/],
    ['the year 99', '0099-01-01T00:00:00Z', /before 1970/],
    ['before 1970 in UTC', '1970-01-01T00:00:00+01:00', /before 1970/],
    ['a week date', '2030-W01-1T00:00:00Z'],
    ['an RFC 2822 date', 'Sun, 17 Mar 2030 17:46:40 GMT'],
    ['digits of another script', '２０３０-01-01T00:00:00Z'],
    ['trailing text', '2030-01-01T00:00:00Z\n'],
    ['a huge string', '2030-01-01T00:00:00.'.padEnd(1_000_000, '0')],
  ]
  test.each(bad)('readInstant() rejects %s and names the field', (_name, input, message) => {
    expect(() => readInstant('expiresAt', input)).toThrow(refused('expiresAt', message))
  })

  test('readInstant() reads every instant in any time zone', () => {
    const instants = fc.integer({ min: 0, max: MAX_INSTANT })
    fc.assert(
      fc.property(instants, fc.integer({ min: -23 * 60, max: 23 * 60 }), (at, minutes) => {
        expect(readInstant('at', new Date(at).toISOString())).toBe(at)
        const local = at + minutes * 60_000
        if (local < 0 || local > MAX_INSTANT) return
        const zone = `${minutes < 0 ? '-' : '+'}${new Date(Math.abs(minutes) * 60_000).toISOString().slice(11, 16)}`
        expect(readInstant('at', new Date(local).toISOString().replace('Z', zone))).toBe(at)
      }),
    )
  })

  test('readInstant() returns an instant in range or rejects the input with the field name, whatever the input', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.double(), fc.date({ noInvalidDate: false }), fc.string()), (input) => {
        try {
          const at = readInstant('notBefore', input)
          expect(Number.isInteger(at) && at >= 0 && at <= MAX_INSTANT).toBe(true)
        } catch (error) {
          expect(error).toEqual(refused('notBefore'))
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('readInstant() does not repeat a token in its error', () => {
    const secret = 'pHk82J7SdVbmHv2PCggppN3U4PmcgphSGMXr3CJoeuf3CYcSx'
    expect(() => readInstant('expiresAt', `acme_live_c6w4G5BC9wx2juOQ_${secret}`)).toThrow(refused('expiresAt', /acme_live_c6w4…/))
    expect(() => readInstant('expiresAt', `acme_live_c6w4G5BC9wx2juOQ_${secret}`)).not.toThrow(secret.slice(0, 12))
  })
})

describe('clocks of the host', () => {
  test.each([
    ['rounded', (clock: () => unknown) => wholeMilliseconds(clock as () => number)()],
    ['checked', (clock: () => unknown) => readClock(clock, 'nothing can be signed')],
  ])('a promise from a clock that is %s is an invalid time, and its rejection is handled', async (_, read) => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    try {
      const answer = (): unknown => {
        try {
          return read(async () => {
            throw new Error('no time')
          })
        } catch (error) {
          return error
        }
      }
      const said = answer()
      expect(said instanceof Error || Number.isNaN(said)).toBe(true)
      await new Promise((resolve) => setTimeout(resolve, 5))
      expect(unhandled).toEqual([])
    } finally {
      process.off('unhandledRejection', note)
    }
  })
})
