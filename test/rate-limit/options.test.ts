import { RateLimiterMemory, RateLimiterUnion } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { instance, refusal } from '../latchkey/harness.js'

const limiter = new RateLimiterMemory({ points: 5, duration: 60 })
const sound = { name: 'token', by: 'token', limiter } as const

const made = (rateLimit: unknown): Promise<string> => refusal((async () => instance({ rateLimit: rateLimit as never }))())

describe('the rateLimit option', () => {
  it('the rateLimit option accepts limits and onFailure', async () => {
    expect(await made({ limits: [sound], onFailure: 'refuse' })).toBe('done')
    expect(await made({ limits: [{ ...sound, points: 10, refill: { every: '90s' } }], onFailure: 'allow' })).toBe('done')
  })

  it.each([
    ['a missing onFailure', { limits: [sound] }, 'rateLimit.onFailure'],
    ['an unknown onFailure', { limits: [sound], onFailure: 'open' }, 'rateLimit.onFailure'],
    ['no limits', { limits: [], onFailure: 'refuse' }, 'rateLimit.limits'],
    ['an unknown key', { limits: [sound], onFailure: 'refuse', skip: true }, 'rateLimit.skip'],
    ['a value that is not an object', true, 'rateLimit'],
    ['undefined, which would mean no limit', undefined, 'rateLimit'],
    ['two limits with the same name', { limits: [sound, sound], onFailure: 'refuse' }, 'rateLimit.limits.1.name'],
  ])('the rateLimit option rejects %s', async (_case, rateLimit, field) => {
    expect(await made(rateLimit)).toBe(`invalid_input ${field}`)
  })

  it.each([
    ['a name that is not allowed in a header field', { name: 'a"b' }, 'name'],
    ['a name with a line break', { name: 'a\n' }, 'name'],
    ['an unknown subject', { by: 'ip' }, 'by'],
    ['no limiter', { limiter: undefined }, 'limiter'],
    ['a union of limiters, which has no single count', { limiter: new RateLimiterUnion(limiter) }, 'limiter'],
    ['negative points', { points: -1 }, 'points'],
    ['NaN as points', { points: Number.NaN }, 'points'],
    ['a string as points', { points: '10' }, 'points'],
    ['an unknown schedule', { refill: 'fortnight' }, 'refill'],
    ['a schedule of zero seconds', { refill: { every: 0 } }, 'refill'],
    ['a month in memory, which exceeds the longest timer', { refill: 'month' }, 'refill'],
    ['an unknown key', { key: 'token' }, 'key'],
  ])('the rateLimit option rejects a limit with %s', async (_case, changes, field) => {
    expect(await made({ limits: [{ ...sound, ...changes }], onFailure: 'refuse' })).toBe(`invalid_input rateLimit.limits.0.${field}`)
  })
})
