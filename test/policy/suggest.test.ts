import { expect, test } from 'vitest'
import { closest } from '../../src/policy/suggest.js'

const candidates = ['inventory:read', 'inventory:write', 'billing:read', '@staff']

test('finds the candidate that a slip meant', () => {
  expect(closest('inventory:raed', candidates)).toBe('inventory:read')
  expect(closest('inventry:write', candidates)).toBe('inventory:write')
  expect(closest('Inventory:Read', candidates)).toBe('inventory:read')
  expect(closest('biling:reads', candidates)).toBe('billing:read')
  expect(closest('@stuff', candidates)).toBe('@staff')
})

test('prefers the nearest, and the first of equals', () => {
  expect(closest('ab', ['abcd', 'abc', 'axc'])).toBe('abc')
  expect(closest('bb', ['ab', 'cb'])).toBe('ab')
})

test('says nothing about another word', () => {
  expect(closest('reports:daily', candidates)).toBeUndefined()
  expect(closest('', candidates)).toBeUndefined()
  expect(closest('x', [])).toBeUndefined()
  expect(closest('x', ['id', 'as'])).toBeUndefined()
})

test('does little work for a long text or a large catalogue', () => {
  const large = Array.from({ length: 100_000 }, (_, at) => `scope:${at}`.padEnd(60, 'x'))
  for (let at = 0; at < 20; at++) {
    expect(closest('y'.repeat(5_000_000), large)).toBeUndefined()
    expect(closest('y'.repeat(60), large)).toBeUndefined()
  }
})
