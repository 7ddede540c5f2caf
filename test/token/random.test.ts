import { expect, test } from 'vitest'
import { platformRandom } from '../../src/token/random.js'

test('the random source returns as many fresh bytes as requested', () => {
  for (const size of [0, 1, 64, 1000]) expect(platformRandom(size)).toHaveLength(size)
  const blocks = Array.from({ length: 100 }, () => Buffer.from(platformRandom(16)).toString('hex'))
  expect(new Set(blocks).size).toBe(100)
})
