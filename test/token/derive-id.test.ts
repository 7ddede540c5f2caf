import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { deriveId, fingerprint } from '../../src/token/derive-id.js'
import { isTokenId } from '../../src/token/parse.js'
import { fc } from '../support/property.js'

const parts = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 5 })

test('derives a valid ID, and always the same ID from the same parts', () => {
  fc.assert(
    fc.property(parts, (input) => {
      expect(isTokenId(deriveId(input))).toBe(true)
      expect(deriveId([...input])).toBe(deriveId(input))
    }),
  )
})

test('derives different IDs from different parts, even if they look alike when joined', () => {
  fc.assert(
    fc.property(parts, parts, (one, two) => {
      expect(deriveId(one) === deriveId(two)).toBe(JSON.stringify(one) === JSON.stringify(two))
    }),
  )
  const alike = [
    ['a', 'b'],
    ['ab'],
    ['a,b'],
    ['a","b'],
    ['b', 'a'],
    ['a', 'b', ''],
    ['a', '', 'b'],
    ['A', 'b'],
    ['ä', 'b'],
    ['a\u0308', 'b'],
    ['\ud800'],
    ['\ud801'],
    ['\ufffd'],
  ]
  expect(new Set(alike.map(deriveId)).size).toBe(alike.length)
})

test('computes a fingerprint as the SHA-256 of the value as JSON', () => {
  expect(fingerprint({ a: [1, 'x'] })).toBe(createHash('sha256').update('{"a":[1,"x"]}').digest('hex'))
  expect(fingerprint('ä')).not.toBe(fingerprint('ö'))
})
