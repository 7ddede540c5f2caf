import { expect, test } from 'vitest'
import { BASE62, isBase62 } from '../../src/token/alphabet.js'

test('the token alphabet contains exactly the 62 letters and digits among all UTF-16 code units', () => {
  const accepted: string[] = []
  for (let code = 0; code <= 0xffff; code++) if (isBase62(String.fromCharCode(code), 0, 1)) accepted.push(String.fromCharCode(code))
  expect(accepted.join('')).toBe(BASE62)
  expect(BASE62).toMatch(/^[0-9]{10}[A-Z]{26}[a-z]{26}$/)
})

test('the alphabet check covers the given range and nothing outside it', () => {
  expect(isBase62('_abc_', 1, 4)).toBe(true)
  expect(isBase62('_abc_', 0, 4)).toBe(false)
  expect(isBase62('_abc_', 1, 5)).toBe(false)
  expect(isBase62('', 0, 0)).toBe(true)
})

test('the alphabet check refuses a range that goes beyond the text', () => {
  expect(isBase62('abc', 0, 4)).toBe(false)
  expect(isBase62('abc', -1, 2)).toBe(false)
})
