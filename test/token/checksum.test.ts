import { expect, test } from 'vitest'
import { BASE62 } from '../../src/token/alphabet.js'
import { checksum, checksumMatches } from '../../src/token/checksum.js'
import { fc } from '../support/property.js'
import vectors from './vectors.json' with { type: 'json' }

const all = [...vectors.plain, ...vectors.peppered]
const digests = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })

test('computes the checksums of the frozen vectors', () => {
  for (const vector of all) expect(checksum(vector.digest)).toBe(vector.token.slice(-6))
})

test('encodes the first 32 bits of a digest in base62, padded to six digits', () => {
  expect(checksum(`00000000${'f'.repeat(56)}`)).toBe('000000')
  expect(checksum(`00000001${'f'.repeat(56)}`)).toBe('000001')
  expect(checksum(`0000003e${'f'.repeat(56)}`)).toBe('000010')
  expect(checksum(`ffffffff${'0'.repeat(56)}`)).toBe('4gfFC3')
})

test('a checksum matches only the digits at the end of its token, and no other six digits', () => {
  const six = fc.string({ unit: fc.constantFrom(...BASE62), minLength: 6, maxLength: 6 })
  fc.assert(
    fc.property(digests, six, (digest, guess) => {
      expect(checksumMatches(`acme_x_${checksum(digest)}`, digest)).toBe(true)
      expect(checksumMatches(`acme_x_${guess}`, digest)).toBe(guess === checksum(digest))
    }),
  )
})

test('refuses a checksum with any digit changed, or with other characters', () => {
  const digest = vectors.plain[0]?.digest ?? ''
  const right = checksum(digest)
  for (let at = 0; at < 6; at++) {
    for (const digit of [...BASE62, '_', ' ', '\u0000', 'é', '/', ':', '@', '[', '`', '{']) {
      const wrong = right.slice(0, at) + digit + right.slice(at + 1)
      expect(checksumMatches(`body${wrong}`, digest)).toBe(wrong === right)
    }
  }
})

test('refuses a checksum of text that is too short, and digests that are not hexadecimal', () => {
  expect(checksumMatches('00000', '0'.repeat(64))).toBe(false)
  expect(checksumMatches('', '')).toBe(false)
  expect(checksumMatches('x000000', '')).toBe(false)
  expect(checksumMatches('x000000', 'z'.repeat(64))).toBe(false)
  expect(checksumMatches('x000000', 'F'.repeat(64))).toBe(false)
  // If `g` were read as a digit worth 16, it would make 2^32.
  expect(checksumMatches('x4gfFC4', `g${'0'.repeat(63)}`)).toBe(false)
})
