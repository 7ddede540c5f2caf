import { describe, expect, it } from 'vitest'
import { rateFields, readRates } from '../../src/http/rate-fields.js'
import { createRefusals } from '../../src/http/refuse.js'

const minute = { name: 'token', limit: 100, remaining: 0, resetSeconds: 12, windowSeconds: 60 }
const month = { name: 'monthly', limit: 10_000, remaining: 9_000, resetSeconds: 864_000, windowSeconds: 2_592_000 }

describe('RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11)', () => {
  it('the RateLimit fields name each limit as Lists of Strings with Integer parameters', () => {
    expect(rateFields([minute, month])).toEqual({
      'ratelimit-policy': '"token";q=100;w=60, "monthly";q=10000;w=2592000',
      ratelimit: '"token";r=0;t=12, "monthly";r=9000;t=864000',
    })
  })

  it('the RateLimit fields omit the window and the reset of a limit that never resets', () => {
    expect(rateFields([{ name: 'once', limit: 1, remaining: 0 }])).toEqual({ 'ratelimit-policy': '"once";q=1', ratelimit: '"once";r=0' })
  })

  it('a 429 has RateLimit fields with a matching Retry-After, even beyond one day', () => {
    const { headers } = createRefusals()('rate_limited', undefined, { retryAfterSeconds: 864_000, rates: [{ ...month, remaining: 0 }] })
    expect(headers).toMatchObject({ 'retry-after': '864000', ratelimit: '"monthly";r=0;t=864000' })
  })

  it('refusals other than rate_limited have no RateLimit fields', () => {
    for (const code of ['token_expired', 'scope_insufficient', 'store_unavailable'] as const) {
      const { headers } = createRefusals()(code, undefined, { rates: [minute] })
      expect([headers.ratelimit, headers['ratelimit-policy']]).toEqual([undefined, undefined])
    }
  })
})

it('readRates() returns valid rates unchanged', () => {
  expect(readRates([minute, month])).toEqual([minute, month])
})

it.each([
  ['an undefined value', undefined],
  ['an empty list', []],
  ['an object instead of a list', { 0: minute }],
  ['a hole', Object.assign(new Array(2), { 1: minute })],
  ['a name that breaks out of its quotes', [{ ...minute, name: 'a", "b' }]],
  ['a name with a line break', [{ ...minute, name: 'a\r\nx-y: z' }]],
  ['a fraction', [{ ...minute, remaining: 0.5 }]],
  ['a negative number', [{ ...minute, limit: -1 }]],
  ['NaN', [{ ...minute, resetSeconds: Number.NaN }]],
  ['more digits than an Integer has (RFC 9651 §3.3.1)', [{ ...minute, windowSeconds: 1e15 }]],
  ['a string instead of a number', [{ ...minute, remaining: '0;x=1' }]],
])('readRates() rejects rates with %s', (_case, given) => {
  expect(readRates(given)).toBeUndefined()
})
