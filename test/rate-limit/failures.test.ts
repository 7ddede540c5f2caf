import { describe, expect, it } from 'vitest'
import { instance, mint, until, verdict } from '../latchkey/harness.js'
import { broken, limited, perToken, syncLimiter } from './support.js'

const FAULTS: readonly (readonly [string, () => unknown])[] = [
  [
    'throws',
    () => {
      throw new Error('down')
    },
  ],
  ['rejects', () => Promise.reject(new Error('down'))],
  ['rejects with undefined', () => Promise.reject(undefined)],
  ['rejects with null', () => Promise.reject(null)],
  ['rejects with a string', () => Promise.reject('full')],
  ['rejects with an incomplete object', () => Promise.reject({ remainingPoints: 0 })],
  ['hangs', () => new Promise(() => undefined)],
  ['returns undefined', () => undefined],
  ['resolves with true', async () => true],
  ['resolves with NaN', async () => ({ consumedPoints: Number.NaN, remainingPoints: 5, msBeforeNext: 1 })],
  ['returns strings instead of numbers', () => ({ consumedPoints: '1', remainingPoints: '4', msBeforeNext: '1' })],
]

describe.each(FAULTS)('a limiter that %s', (_fault, call) => {
  it('a failing limiter with onFailure set to refuse causes store_unavailable', async () => {
    const tokens = instance({ rateLimit: broken(call, 'refuse'), deadline: 1 })
    const { token } = await mint(tokens)
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  })

  it("a failing limiter with onFailure 'allow' lets the use pass uncounted", async () => {
    const tokens = instance({ rateLimit: broken(call, 'allow'), deadline: 1 })
    const { token } = await mint(tokens)
    const answer = await tokens.verify(token)
    expect(answer).toMatchObject({ ok: true })
    expect(answer).not.toHaveProperty('rates')
  })
})

describe.each([
  [
    'throws',
    () => {
      throw new Error('down')
    },
  ],
  ['rejects', () => Promise.reject(new Error('down'))],
  ['hangs', () => new Promise(() => undefined)],
  ['returns a string', () => '10'],
  ['returns a fraction', () => 1.5],
  ['resolves with NaN', async () => Number.NaN],
  ['returns null', () => null],
])('a points function that %s', (_fault, points) => {
  it('a failing points function causes store_unavailable', async () => {
    const tokens = limited([{ ...perToken(5), points: points as never }], { deadline: 1 })
    const { token } = await mint(tokens)
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  })
})

it('a failing limiter refunds the points taken by earlier limits', async () => {
  const first = syncLimiter(5)
  const [failing] = broken(() => Promise.reject(new Error('down')), 'refuse').limits
  const tokens = limited([
    { name: 'first', by: 'token', limiter: first },
    { ...failing!, name: 'second' },
  ])
  const { token } = await mint(tokens)
  expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  expect([...first.counts.values()]).toEqual([0])
})

it('points taken after the deadline are refunded', async () => {
  const inner = syncLimiter(5)
  let release: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const limiter = { ...inner, consume: (key: string, points: number) => gate.then(() => inner.consume(key, points)) }
  const tokens = limited([{ name: 'token', by: 'token', limiter }], { deadline: 1 })
  const { token } = await mint(tokens)
  expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  release()
  await until(() => inner.counts.size === 1)
  await until(() => [...inner.counts.values()][0] === 0)
})

it('a limiter that cannot refund still admits and refuses correctly', async () => {
  const limiter = { ...syncLimiter(1), reward: () => Promise.reject(new Error('down')) }
  const tokens = limited([{ name: 'token', by: 'token', limiter, points: 1 }])
  const { token } = await mint(tokens)
  expect([await verdict(tokens.verify(token)), await verdict(tokens.verify(token))]).toEqual(['ok', 'rate_limited'])
})
