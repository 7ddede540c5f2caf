import { describe, expect, it } from 'vitest'
import { rateFields, readRates } from '../../src/http/rate-fields.js'
import { createRefusals } from '../../src/http/refuse.js'

const minute = { name: 'token', limit: 100, remaining: 0, resetSeconds: 12, windowSeconds: 60 }
const month = { name: 'monthly', limit: 10_000, remaining: 9_000, resetSeconds: 864_000, windowSeconds: 2_592_000 }

describe('RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11)', () => {
  it('name each limit in both fields, as Lists of Strings with Integer parameters', () => {
    expect(rateFields([minute, month])).toEqual({
      'ratelimit-policy': '"token";q=100;w=60, "monthly";q=10000;w=2592000',
      ratelimit: '"token";r=0;t=12, "monthly";r=9000;t=864000',
    })
  })

  it('leave out the window and the reset of a limit that never comes back', () => {
    expect(rateFields([{ name: 'once', limit: 1, remaining: 0 }])).toEqual({ 'ratelimit-policy': '"once";q=1', ratelimit: '"once";r=0' })
  })

  it('stand in a 429 beside a Retry-After that says the same, also where that is more than a day', () => {
    const { headers } = createRefusals()('rate_limited', undefined, { retryAfterSeconds: 864_000, rates: [{ ...month, remaining: 0 }] })
    expect(headers).toMatchObject({ 'retry-after': '864000', ratelimit: '"monthly";r=0;t=864000' })
  })

  it('stand in no other refusal', () => {
    for (const code of ['token_expired', 'scope_insufficient', 'store_unavailable'] as const) {
      const { headers } = createRefusals()(code, undefined, { rates: [minute] })
      expect([headers.ratelimit, headers['ratelimit-policy']]).toEqual([undefined, undefined])
    }
  })
})

it('states of limits are taken as they are', () => {
  expect(readRates([minute, month])).toEqual([minute, month])
})

it.each([
  ['nothing', undefined],
  ['an empty list', []],
  ['no list', { 0: minute }],
  ['a hole', Object.assign(new Array(2), { 1: minute })],
  ['a name that breaks out of its quotes', [{ ...minute, name: 'a", "b' }]],
  ['a name with a line break', [{ ...minute, name: 'a\r\nx-y: z' }]],
  ['a fraction', [{ ...minute, remaining: 0.5 }]],
  ['less than nothing', [{ ...minute, limit: -1 }]],
  ['no number', [{ ...minute, resetSeconds: Number.NaN }]],
  ['more digits than an Integer has (RFC 9651 §3.3.1)', [{ ...minute, windowSeconds: 1e15 }]],
  ['text', [{ ...minute, remaining: '0;x=1' }]],
])('%s never gets into a header field', (_case, given) => {
  expect(readRates(given)).toBeUndefined()
})
