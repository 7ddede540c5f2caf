import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, heldStore, interceptStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import type { Change } from '../../src/store/port.js'
import { instance, mint, pause, refusal, until } from '../latchkey/harness.js'

const MANY = 100

it('writes to the store once when a hundred rotations of one token race', async () => {
  const held = heldStore(memoryStore())
  const store = faultyStore(held)
  const tokens = instance({ store })
  const { record } = await mint(tokens)
  held.hold('commit')
  const before = store.calls.filter(({ method }) => method === 'commit').length
  const all = Promise.all(Array.from({ length: MANY }, () => refusal(tokens.system.rotate(record.id))))
  await until(() => store.calls.filter(({ method }) => method === 'find').length === MANY)
  await (await held.next('commit')).release()
  held.pass('commit')
  const outcomes = await all
  expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
  expect(outcomes.filter((outcome) => outcome.startsWith('conflict'))).toHaveLength(MANY - 1)
  expect(store.calls.filter(({ method }) => method === 'commit').length - before).toBe(1)
})

it('applies all concurrent changes to one token, one after another', async () => {
  const tokens = instance()
  const { record } = await mint(tokens)
  await Promise.all(Array.from({ length: 20 }, (_, at) => tokens.system.update(record.id, { name: `n${at}` })))
  expect((await tokens.system.get(record.id))?.version).toBe(21)
})

it('reads the token fewer than four hundred times for a hundred concurrent changes', async () => {
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

it('a change that waits behind a hung change fails at its deadline, and the changes behind it still take turns', async () => {
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

it('a failed commit does not fail the changes that wait for it', async () => {
  let finds = 0
  const inner = interceptStore(memoryStore(), ({ method }, proceed) => {
    if (method === 'find') finds += 1
    return proceed()
  })
  const held = heldStore(inner)
  const tokens = instance({ store: held })
  const { record } = await mint(tokens)
  held.hold('commit')
  const all = Promise.all(Array.from({ length: MANY }, () => refusal(tokens.system.rotate(record.id))))
  await until(() => finds === MANY)
  ;(await held.next('commit')).fail(new Error('down'))
  held.pass('commit')
  const outcomes = await all
  expect(outcomes.filter((outcome) => outcome.startsWith('store_unavailable'))).toHaveLength(1)
  expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
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

/** A token that is being edited, with further edits waiting, on a store that holds commits and logs their events. */
async function editedByMany(waiting: number) {
  const log: (readonly string[])[] = []
  let finds = 0
  const inner = interceptStore(memoryStore(), ({ method, args }, proceed) => {
    if (method === 'find') finds += 1
    if (method === 'commit') log.push((args[0] as Change).events.map(({ action }) => action))
    return proceed()
  })
  const held = heldStore(inner)
  const tokens = instance({ store: held, deadline: '60s' })
  const minted = await mint(tokens)
  log.length = 0
  finds = 0
  held.hold('commit')
  const edit = (name: string) => refusal(tokens.system.update(minted.record.id, { name }))
  const edits = Array.from({ length: waiting + 2 }, (_, at) => edit(`n${at}`))
  await until(() => finds === edits.length)
  await (await held.next('commit')).release()
  await held.next('commit')
  return { tokens, held, log, edit, edits, ...minted }
}

it.each(['revoke', 'deactivate', 'rotate', 'reportLeak'] as const)(
  '%s goes ahead of the edits that wait for the same token',
  async (verb) => {
    const { tokens, held, log, edit, edits, token, record } = await editedByMany(30)
    const stopped = verb === 'reportLeak' ? tokens.system.reportLeak({ token, action: 'revoke' }) : tokens.system[verb](record.id)
    edits.push(...Array.from({ length: 30 }, (_, at) => edit(`m${at}`)))
    await held.resume('commit')
    expect(await refusal(stopped)).toBe('done')
    await Promise.all(edits)
    // Only the edit that was already running and the next one in the queue were ahead.
    expect(log.findIndex((actions) => !actions.includes('token.updated'))).toBeLessThanOrEqual(3)
  },
)

it('lets a revocation go ahead of deactivations', async () => {
  const { tokens, held, record } = await editedByMany(2)
  const deactivations = Array.from({ length: 5 }, () => refusal(tokens.system.deactivate(record.id)))
  const revocation = tokens.system.revoke(record.id)
  await held.resume('commit')
  expect(await revocation).toMatchObject({ status: 'revoked' })
  expect(new Set(await Promise.all(deactivations))).toEqual(new Set(['conflict undefined']))
})

it('edits that wait their turn all succeed even if another edit arrives in between', async () => {
  const { held, log, edit, edits } = await editedByMany(1)
  held.hold('find')
  held.pass('commit')
  await Promise.all(held.waiting.map((call) => call.release()))
  const read = await held.next('find')
  await read.reach()
  held.pass('find')
  const late = edit('late')
  for (let turn = 0; turn < 10; turn += 1) await pause(0)
  await read.release()
  expect(await Promise.all([...edits, late])).toEqual(Array.from({ length: 4 }, () => 'done'))
  expect(log).toHaveLength(4)
})

it('refuses an edit immediately when two hundred changes wait for the same token, but not a revocation', async () => {
  const { tokens, held, edit, edits, record } = await editedByMany(200)
  expect(await edit('late')).toBe('conflict undefined')
  expect(await refusal(tokens.as({ id: 'a', tenants: ['t1'], manages: 'all' }).update(record.id, { name: 'late' }))).toBe(
    'not_found undefined',
  )
  const revocation = refusal(tokens.system.revoke(record.id))
  await held.resume('commit')
  expect(await revocation).toBe('done')
  await Promise.all(edits)
  expect(await edit('later')).toBe('conflict undefined')
})

it('reads the token at most four hundred times for two hundred concurrent changes, and makes all of them', async () => {
  const store = faultyStore(memoryStore())
  const tokens = instance({ store })
  const { record } = await mint(tokens)
  const reads = () => store.calls.filter(({ method }) => method === 'find').length
  const before = reads()
  await Promise.all(Array.from({ length: 200 }, (_, at) => tokens.system.update(record.id, { name: `n${at}` })))
  expect(reads() - before).toBeLessThanOrEqual(400)
})
