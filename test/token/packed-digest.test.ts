import { expect, test } from 'vitest'
import { isPacked, packDigest } from '../../src/token/packed-digest.js'
import { fc } from '../support/property.js'

const digests = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })

test('matches a packed digest only against its own digest', () => {
  fc.assert(
    fc.property(digests, digests, (a, b) => {
      expect(packDigest(a)).toHaveLength(32)
      expect(isPacked(packDigest(a), a)).toBe(true)
      expect(isPacked(packDigest(a), b)).toBe(a === b)
    }),
  )
})

test('detects a difference in any position and any bit of a presented digest', () => {
  const digest = '0123456789abcdef'.repeat(4)
  const packed = packDigest(digest)
  for (let at = 0; at < 64; at++) {
    for (let bit = 0; bit < 16; bit++) {
      const other = digest.slice(0, at) + String.fromCharCode(digest.charCodeAt(at) ^ (1 << bit)) + digest.slice(at + 1)
      expect(isPacked(packed, other)).toBe(false)
    }
  }
})

test('packs an invalid digest into a value that matches nothing', () => {
  for (const value of ['', 'a'.repeat(63), 'a'.repeat(65), 'A'.repeat(64), undefined, null, 0, {}]) {
    const packed = packDigest(value as string)
    expect(packed).toBe('')
    for (const presented of [value, '', 'a'.repeat(64), '0'.repeat(64)]) expect(isPacked(packed, presented as string)).toBe(false)
  }
})
