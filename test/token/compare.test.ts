import { expect, test } from 'vitest'
import { equalDigests } from '../../src/token/compare.js'
import { fc } from '../support/property.js'

const digests = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })

test('a digest equals itself and no other digest', () => {
  fc.assert(
    fc.property(digests, digests, (a, b) => {
      expect(equalDigests(a, `${a.slice(0, 32)}${a.slice(32)}`)).toBe(true)
      expect(equalDigests(a, b)).toBe(a === b)
    }),
  )
})

test('detects a difference in any position and any bit of a digest', () => {
  const digest = '0123456789abcdef'.repeat(4)
  for (let at = 0; at < 64; at++) {
    for (let bit = 0; bit < 16; bit++) {
      const other = digest.slice(0, at) + String.fromCharCode(digest.charCodeAt(at) ^ (1 << bit)) + digest.slice(at + 1)
      expect(equalDigests(digest, other)).toBe(false)
    }
  }
  expect(equalDigests('ab'.repeat(32), 'AB'.repeat(32))).toBe(false)
})

test('an invalid digest equals nothing, not even itself', () => {
  const digest = 'a'.repeat(64)
  const list = Array.from(digest)
  for (const value of [
    '',
    'a'.repeat(63),
    'a'.repeat(65),
    undefined,
    null,
    0,
    Number.NaN,
    true,
    {},
    list,
    Buffer.from(digest),
    new String(digest),
  ]) {
    const other = value as string
    expect(equalDigests(other, other)).toBe(false)
    expect(equalDigests(digest, other)).toBe(false)
    expect(equalDigests(other, digest)).toBe(false)
  }
})
