import { describe, expect, test } from 'vitest'
import { LatchkeyError } from '../../src/errors.js'
import { BASE62 } from '../../src/token/alphabet.js'
import { createDigesters } from '../../src/token/digest.js'
import { generateId, generateSecret, mintToken, type RandomSource } from '../../src/token/generate.js'
import { platformRandom } from '../../src/token/random.js'
import { seeded } from './seeded.js'

/** Pearson's chi-square statistic of a sample against 62 equally likely digits. */
function chiSquare(sample: string): number {
  const counts = new Map<string, number>()
  for (const digit of sample) counts.set(digit, (counts.get(digit) ?? 0) + 1)
  const expected = sample.length / 62
  return [...BASE62].reduce((sum, digit) => sum + ((counts.get(digit) ?? 0) - expected) ** 2 / expected, 0)
}

/** With 61 degrees of freedom, chance exceeds this once in 10^10 samples. A plain remainder of a byte gives over 1000 on this size. */
const CRITICAL = 160

test('generates IDs and secrets whose digits are equally likely in every position', () => {
  const secrets = Array.from({ length: 10_000 }, () => generateSecret(platformRandom))
  expect(chiSquare(secrets.join(''))).toBeLessThan(CRITICAL)
  for (const place of [0, 21, 42]) expect(chiSquare(secrets.map((secret) => secret.charAt(place)).join(''))).toBeLessThan(CRITICAL)
  const ids = Array.from({ length: 20_000 }, () => generateId(platformRandom))
  expect(chiSquare(ids.join(''))).toBeLessThan(CRITICAL)
  expect(new Set([...secrets, ...ids]).size).toBe(30_000)
})

test('the uniformity test detects a biased remainder', () => {
  const biased = Array.from(seeded(1)(430_000), (byte) => BASE62.charAt(byte % 62)).join('')
  expect(chiSquare(biased)).toBeGreaterThan(1000)
})

test('redraws random bytes that would bias the digits of a token', () => {
  // 252 % 62 is 4. If 252 were used, it would be the first digit.
  const random: RandomSource = (size) => Uint8Array.from({ length: size }, (_, at) => (at % 2 === 0 ? 252 : 61))
  expect(generateId(random)).toBe('z'.repeat(16))
})

test('reads from a slow random source again until it has enough digits', () => {
  let calls = 0
  const random: RandomSource = (size) => {
    calls++
    return Uint8Array.from({ length: size }, (_, at) => (at < 10 ? at : 255))
  }
  expect(generateSecret(random)).toHaveLength(43)
  expect(calls).toBe(5)
})

test('generates IDs of 16 digits and secrets of 43', () => {
  expect(generateId(seeded(2))).toMatch(/^[0-9A-Za-z]{16}$/)
  expect(generateSecret(seeded(2))).toMatch(/^[0-9A-Za-z]{43}$/)
})

describe('a faulty random source', () => {
  const [digester] = createDigesters([])
  const broken: [string, unknown][] = [
    ['returns zeros', (size: number) => new Uint8Array(size)],
    ['returns the same byte repeatedly', (size: number) => new Uint8Array(size).fill(7)],
    ['returns only bytes that must be redrawn', (size: number) => Uint8Array.from({ length: size }, (_, at) => 248 + (at % 8))],
    ['returns too few bytes', (size: number) => platformRandom(size - 1)],
    ['returns too many bytes', (size: number) => platformRandom(size + 1)],
    ['returns no bytes', () => new Uint8Array(0)],
    ['returns undefined', () => undefined],
    ['returns null', () => null],
    ['returns text', (size: number) => 'x'.repeat(size)],
    ['returns plain numbers', (size: number) => Array.from({ length: size }, (_, at) => at)],
    ['returns wider numbers', (size: number) => Uint16Array.from({ length: size }, (_, at) => at)],
    ['returns an object that looks like bytes', (size: number) => ({ length: size, 0: 1 })],
    ['returns a promise', async (size: number) => platformRandom(size)],
    [
      'throws',
      () => {
        throw new Error('no entropy')
      },
    ],
    [
      'throws undefined',
      () => {
        throw undefined
      },
    ],
  ]
  test.each(broken)('creates no token if the random source %s', (_name, source) => {
    const random = source as RandomSource
    for (const make of [
      () => generateId(random),
      () => generateSecret(random),
      () => mintToken('acme', 'a'.repeat(16), digester, random),
    ]) {
      expect(make).toThrow(LatchkeyError)
      expect(make).toThrow(expect.objectContaining({ code: 'store_unavailable', message: expect.stringContaining('no token was created') }))
    }
  })
})

test('mints a token only for a valid ID', () => {
  const [digester] = createDigesters([])
  for (const id of ['', 'short', 'a'.repeat(17), `${'a'.repeat(15)}_`, `${'a'.repeat(15)}é`]) {
    expect(() => mintToken('acme', id, digester, platformRandom)).toThrow(expect.objectContaining({ code: 'invalid_input', field: 'id' }))
  }
})
