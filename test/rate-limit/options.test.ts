import { RateLimiterMemory, RateLimiterUnion } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { instance, refusal } from '../latchkey/harness.js'

const limiter = new RateLimiterMemory({ points: 5, duration: 60 })
const sound = { name: 'token', by: 'token', limiter } as const

const made = (rateLimit: unknown): Promise<string> => refusal((async () => instance({ rateLimit: rateLimit as never }))())

describe('the option rateLimit', () => {
  it('takes limits, with what a limiter that fails means', async () => {
    expect(await made({ limits: [sound], onFailure: 'refuse' })).toBe('done')
    expect(await made({ limits: [{ ...sound, points: 10, refill: { every: '90s' } }], onFailure: 'allow' })).toBe('done')
  })

  it.each([
    ['nothing about failures', { limits: [sound] }, 'rateLimit.onFailure'],
    ['another word about failures', { limits: [sound], onFailure: 'open' }, 'rateLimit.onFailure'],
    ['no limits', { limits: [], onFailure: 'refuse' }, 'rateLimit.limits'],
    ['an unknown key', { limits: [sound], onFailure: 'refuse', skip: true }, 'rateLimit.skip'],
    ['no object', true, 'rateLimit'],
    ['undefined, which would be no limit at all', undefined, 'rateLimit'],
    ['a limit twice', { limits: [sound, sound], onFailure: 'refuse' }, 'rateLimit.limits.1.name'],
  ])('refuses %s', async (_case, rateLimit, field) => {
    expect(await made(rateLimit)).toBe(`invalid_input ${field}`)
  })

  it.each([
    ['a name that cannot stand in a header field', { name: 'a"b' }, 'name'],
    ['a name with a line break', { name: 'a\n' }, 'name'],
    ['another subject', { by: 'ip' }, 'by'],
    ['no limiter', { limiter: undefined }, 'limiter'],
    ['a union of limiters, which tells no single count', { limiter: new RateLimiterUnion(limiter) }, 'limiter'],
    ['points below nothing', { points: -1 }, 'points'],
    ['points that are no number', { points: Number.NaN }, 'points'],
    ['points as text', { points: '10' }, 'points'],
    ['an unknown schedule', { refill: 'fortnight' }, 'refill'],
    ['a schedule of no time', { refill: { every: 0 } }, 'refill'],
    ['a month in memory, where no timer lasts that long', { refill: 'month' }, 'refill'],
    ['an unknown key', { key: 'token' }, 'key'],
  ])('refuses %s', async (_case, changes, field) => {
    expect(await made({ limits: [{ ...sound, ...changes }], onFailure: 'refuse' })).toBe(`invalid_input rateLimit.limits.0.${field}`)
  })
})
