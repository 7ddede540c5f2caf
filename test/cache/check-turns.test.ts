import { expect, it } from 'vitest'
import { CheckTurns } from '../../src/cache/check-turns.js'
import { until } from '../latchkey/harness.js'

/** Turns whose checks end when the test says so. */
function world() {
  const begun: string[] = []
  const ends: (() => void)[] = []
  const turns = new CheckTurns((id) => {
    begun.push(id)
    return new Promise((resolve) => ends.push(resolve))
  })
  const endAll = (): void => {
    for (const end of ends.splice(0)) end()
  }
  return { turns, begun, ends, endAll }
}

it('runs a limited number of checks at a time, and each ID that waits once', async () => {
  const { turns, begun, endAll } = world()
  for (let at = 0; at < 1_000; at += 1) turns.add(`t${at}`, 'a')
  expect(begun).toHaveLength(256)
  for (let at = 0; at < 1_000; at += 1) turns.add(`t${at}`, 'a')
  await until(() => {
    endAll()
    return begun.length === 1_256
  })
  expect(new Set(begun).size).toBe(1_000)
})

it('serves tenants in turn, so that a tenant with thousands of checks delays no other', async () => {
  const { turns, begun, ends } = world()
  for (let at = 0; at < 2_000; at += 1) turns.add(`a${at}`, 'a')
  turns.add('b0', 'b')
  turns.add('none', undefined)
  for (const end of ends.splice(0, 3)) end()
  await until(() => begun.length === 259)
  expect(begun.slice(-3).sort()).toEqual(['a256', 'b0', 'none'])
})
