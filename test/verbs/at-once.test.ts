import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, heldStore, interceptStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { instance, mint, refusal } from '../latchkey/harness.js'

const MANY = 100

it('writes to the store once when a hundred rotations of one token race', async () => {
  const held = heldStore(memoryStore())
  const store = faultyStore(held)
  const tokens = instance({ store })
  const { record } = await mint(tokens)
  held.hold('commit')
  const before = store.calls.filter(({ method }) => method === 'commit').length
  const all = Promise.all(Array.from({ length: MANY }, () => refusal(tokens.system.rotate(record.id))))
  await (await held.next('commit')).release()
  held.pass('commit')
  const outcomes = await all
  expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
  expect(outcomes.filter((outcome) => outcome.startsWith('conflict'))).toHaveLength(MANY - 1)
  expect(store.calls.filter(({ method }) => method === 'commit').length - before).toBe(1)
})

it('applies all concurrent changes to one token, one after the other', async () => {
  const tokens = instance()
  const { record } = await mint(tokens)
  await Promise.all(Array.from({ length: 20 }, (_, at) => tokens.system.update(record.id, { name: `n${at}` })))
  expect((await tokens.system.get(record.id))?.version).toBe(21)
})

it('reads the token at most a few times for each of many concurrent changes', async () => {
  let finds = 0
  const store = interceptStore(memoryStore(), ({ method }, proceed) => {
    if (method === 'find') finds += 1
    return proceed()
  })
  const tokens = instance({ store })
  const { record } = await mint(tokens)
  await Promise.all(Array.from({ length: 100 }, (_, at) => tokens.system.update(record.id, { name: `n${at}` })))
  expect((await tokens.system.get(record.id))?.version).toBe(101)
  expect(finds).toBeLessThan(400)
})

it('a change that waits behind a hung one fails at its deadline, and those behind it still take turns', async () => {
  const held = heldStore(memoryStore())
  const tokens = instance({ store: held, deadline: 0.2 })
  const { record } = await mint(tokens)
  const update = (name: string) => refusal(tokens.system.update(record.id, { name }))
  held.hold('commit')
  const waiting = Array.from({ length: 5 }, (_, at) => update(`n${at}`))
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['store_unavailable undefined']))
  held.pass('commit')
  const later = await Promise.all(Array.from({ length: 5 }, (_, at) => update(`m${at}`)))
  expect(new Set(later)).toEqual(new Set(['done']))
})

it('fails all changes that wait for a failed commit, and accepts a later change', async () => {
  const held = heldStore(memoryStore())
  const tokens = instance({ store: held })
  const { record } = await mint(tokens)
  held.hold('commit')
  const all = Promise.all(Array.from({ length: MANY }, () => refusal(tokens.system.rotate(record.id))))
  ;(await held.next('commit')).fail(new Error('down'))
  held.pass('commit')
  expect(new Set(await all)).toEqual(new Set(['store_unavailable undefined']))
  expect(await refusal(tokens.system.rotate(record.id))).toBe('done')
})

it('does not make changes to different tokens wait for each other', async () => {
  const held = heldStore(memoryStore())
  const tokens = instance({ store: held })
  const first = await mint(tokens)
  const second = await mint(tokens)
  held.hold('commit')
  const slow = tokens.system.revoke(first.record.id)
  const commit = await held.next('commit')
  held.pass('commit')
  await tokens.system.revoke(second.record.id)
  await commit.release()
  await slow
})
