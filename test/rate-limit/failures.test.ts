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
  ['rejects with nothing', () => Promise.reject(undefined)],
  ['rejects with null', () => Promise.reject(null)],
  ['rejects with text', () => Promise.reject('full')],
  ['rejects with an object that is no answer', () => Promise.reject({ remainingPoints: 0 })],
  ['hangs', () => new Promise(() => undefined)],
  ['answers nothing', () => undefined],
  ['answers true', async () => true],
  ['answers numbers that are none', async () => ({ consumedPoints: Number.NaN, remainingPoints: 5, msBeforeNext: 1 })],
  ['answers text for numbers', () => ({ consumedPoints: '1', remainingPoints: '4', msBeforeNext: '1' })],
]

describe.each(FAULTS)('a limiter that %s', (_fault, call) => {
  it("is 'cannot decide' with onFailure 'refuse', never a verdict about the token", async () => {
    const tokens = instance({ rateLimit: broken(call, 'refuse'), deadline: 0.05 })
    const { token } = await mint(tokens)
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  })

  it("lets the use pass uncounted with onFailure 'allow'", async () => {
    const tokens = instance({ rateLimit: broken(call, 'allow'), deadline: 0.05 })
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
  ['answers text', () => '10'],
  ['answers a fraction', () => 1.5],
  ['answers NaN', async () => Number.NaN],
  ['answers null', () => null],
])('a points function that %s', (_fault, points) => {
  it("is 'cannot decide'", async () => {
    const tokens = limited([{ ...perToken(5), points: points as never }], { deadline: 0.05 })
    const { token } = await mint(tokens)
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  })
})

it('a limiter that fails gives back what the limits before it took', async () => {
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

it('an answer that comes after the deadline is given back', async () => {
  const inner = syncLimiter(5)
  let release: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const limiter = { ...inner, consume: (key: string, points: number) => gate.then(() => inner.consume(key, points)) }
  const tokens = limited([{ name: 'token', by: 'token', limiter }], { deadline: 0.05 })
  const { token } = await mint(tokens)
  expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  release()
  await until(() => inner.counts.size === 1)
  await until(() => [...inner.counts.values()][0] === 0)
})

it('a limiter that cannot take back refuses and admits as before', async () => {
  const limiter = { ...syncLimiter(1), reward: () => Promise.reject(new Error('down')) }
  const tokens = limited([{ name: 'token', by: 'token', limiter, points: 1 }])
  const { token } = await mint(tokens)
  expect([await verdict(tokens.verify(token)), await verdict(tokens.verify(token))]).toEqual(['ok', 'rate_limited'])
})
