import { expect, test } from 'vitest'
import { closest } from '../../src/policy/suggest.js'

const candidates = ['inventory:read', 'inventory:write', 'billing:read', '@staff']

test('closest() finds the candidate that a misspelled word stands for', () => {
  expect(closest('inventory:raed', candidates)).toBe('inventory:read')
  expect(closest('inventry:write', candidates)).toBe('inventory:write')
  expect(closest('Inventory:Read', candidates)).toBe('inventory:read')
  expect(closest('biling:reads', candidates)).toBe('billing:read')
  expect(closest('@stuff', candidates)).toBe('@staff')
})

test('closest() prefers the nearest candidate, and the first of equally near candidates', () => {
  expect(closest('ab', ['abcd', 'abc', 'axc'])).toBe('abc')
  expect(closest('bb', ['ab', 'cb'])).toBe('ab')
})

test('closest() suggests nothing for an unrelated word', () => {
  expect(closest('reports:daily', candidates)).toBeUndefined()
  expect(closest('', candidates)).toBeUndefined()
  expect(closest('x', [])).toBeUndefined()
  expect(closest('x', ['id', 'as'])).toBeUndefined()
})

test('closest() handles long strings and large catalogues, and suggests nothing', () => {
  const large = Array.from({ length: 100_000 }, (_, at) => `scope:${at}`.padEnd(60, 'x'))
  for (let at = 0; at < 20; at++) {
    expect(closest('y'.repeat(5_000_000), large)).toBeUndefined()
    expect(closest('y'.repeat(60), large)).toBeUndefined()
  }
})
