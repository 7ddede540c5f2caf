import { createHash, createHmac } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { defaultEngine, type HashEngine, nativeEngine, portableEngine } from '../../src/token/hash.js'
import { fc } from '../support/property.js'
import vectors from './vectors.json' with { type: 'json' }

const engines: HashEngine[] = nativeEngine === undefined ? [portableEngine] : [portableEngine, nativeEngine]

test("uses the platform's one-shot hash if the platform has one", () => {
  const available = typeof process.getBuiltinModule === 'function' && 'hash' in process.getBuiltinModule('node:crypto')
  expect(defaultEngine).toBe(available ? nativeEngine : portableEngine)
  expect(defaultEngine.name).toBe(available ? 'native' : 'noble')
})

describe('a platform whose hash is incorrect', () => {
  const { hash } = process.getBuiltinModule('node:crypto')
  afterEach(() => vi.restoreAllMocks())

  test.each([
    ['that is the same for every text', () => 'a'.repeat(64)],
    [
      'that ignores bytes, which HMAC needs',
      (algorithm: string, data: unknown) => hash(algorithm, typeof data === 'string' ? data : '', 'hex'),
    ],
    [
      'that throws',
      () => {
        throw new Error('not implemented')
      },
    ],
  ])('a platform hash %s is not used', async (_, shim) => {
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ ...process.getBuiltinModule('node:crypto'), hash: shim })
    vi.resetModules()
    const { defaultEngine, nativeEngine } = await import('../../src/token/hash.js')
    expect(nativeEngine).toBeUndefined()
    expect(defaultEngine.name).toBe('noble')
  })
})

describe.each(engines)('$name', (engine) => {
  test('computes the digests of the frozen vectors', () => {
    expect(vectors.plain.length + vectors.peppered.length).toBe(10)
    for (const vector of vectors.plain) expect(engine.sha256(vector.token.slice(0, -6))).toBe(vector.digest)
    for (const vector of vectors.peppered) expect(engine.hmacSha256(vector.pepper)(vector.token.slice(0, -6))).toBe(vector.digest)
  })

  test('agrees with node:crypto for every ASCII text and every key', () => {
    const ascii = fc.string({ unit: 'binary-ascii', maxLength: 400 })
    const keys = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 90 }),
      fc.constantFrom('k'.repeat(63), 'k'.repeat(64), 'k'.repeat(65), 'ß'.repeat(33)),
    )
    fc.assert(
      fc.property(keys, fc.array(ascii, { minLength: 1, maxLength: 5 }), (key, texts) => {
        const hmac = engine.hmacSha256(key)
        // One prepared key digests many strings of falling and rising length. Nothing from one string may carry over to the next.
        for (const text of [...texts, ...texts.reverse()]) {
          expect(hmac(text)).toBe(createHmac('sha256', key).update(text).digest('hex'))
          expect(engine.sha256(text)).toBe(createHash('sha256').update(text).digest('hex'))
        }
      }),
      { numRuns: 150 },
    )
  })

  test('digests strings of every length, whatever was digested before', () => {
    const hmac = engine.hmacSha256('key')
    for (const length of [400, 0, 193, 192, 191, 64, 63, 1, 193, 5_000]) {
      const text = 'x'.repeat(length)
      expect(hmac(text)).toBe(createHmac('sha256', 'key').update(text).digest('hex'))
    }
  })

  test('keeps prepared HMAC keys separate', () => {
    const [one, two] = [engine.hmacSha256('one'), engine.hmacSha256('two')]
    const before = one('text')
    expect(two('text')).not.toBe(before)
    expect(one('text')).toBe(before)
  })
})
