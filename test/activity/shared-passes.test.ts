import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { Passes } from '../../src/activity/passes.js'
import { deciderOf } from '../../src/instance.js'
import { codeOf, instance, mint, pause, until } from '../latchkey/harness.js'

/** A memory store that answers writes of usage only once `answer` is called, and an instance on it. */
async function world(flushEvery = 0.05) {
  const held: (() => void)[] = []
  let holds = false
  let writes = 0
  const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
    if (method !== 'recordUsage') return await proceed()
    writes += 1
    if (holds) await new Promise<void>((resolve) => held.push(resolve))
    return await proceed()
  })
  const tokens = instance({ store, usage: { flushEvery }, deadline: 10 })
  const { token, record } = await mint(tokens, { tenantId: 'a' })
  return {
    tokens,
    token,
    id: record.id,
    hold: () => {
      holds = true
    },
    release: () => {
      holds = false
      for (const answer of held.splice(0)) answer()
    },
    writes: () => writes,
    held: () => held.length,
  }
}

it('any number of concurrent flushes write the usage at most twice: in the running pass, and in one pass for all later flushes', async () => {
  const { tokens, token, hold, release, writes, held } = await world()
  const use = () => tokens.verify(token)
  await use()
  hold()
  const first = tokens.flush()
  await until(() => held() === 1)
  const later = Array.from({ length: 500 }, async () => {
    await use()
    await tokens.flush()
  })
  await pause(50)
  release()
  await Promise.all([first, ...later])
  expect(writes()).toBe(2)
})

it('usage reports about tokens that the actor cannot see write nothing', async () => {
  const { tokens, token, id, writes } = await world(60)
  const stranger = tokens.as({ id: 'eve', tenants: ['b'], manages: 'own' })
  await tokens.verify(token)
  const from = Date.now() - 3_600_000
  const answers = await Promise.all([stranger.usage(id).catch(codeOf), stranger.usageOf({ ids: [id], from })])
  expect(answers).toEqual(['not_found', { items: [] }])
  expect(writes()).toBe(0)
})

it('a use that has not been written yet is part of the report, with its time', async () => {
  const { tokens, token, id } = await world()
  await deciderOf(tokens, 'test').decide(token, { ip: '203.0.113.9' })
  await tokens.verify(token, { ip: '203.0.113.9' })
  expect(await tokens.system.usage(id)).toMatchObject({ total: 1, lastUsedAt: expect.any(Date), lastUsedIp: '203.0.113.9' })
})

it('reuse of a rotated token is recorded even if usage cannot currently be written', async () => {
  const { tokens, token, id, hold, release, held } = await world()
  const other = await mint(tokens, { tenantId: 'b' })
  await tokens.system.rotate(id)
  hold()
  await tokens.verify(other.token)
  await until(() => held() === 1)
  expect((await tokens.verify(token)).ok).toBe(false)
  await until(async () => (await tokens.system.events({ action: 'token.reused' })).items.length === 1)
  expect(held()).toBe(1)
  release()
})

it('a call made during a pass shares the next pass, even if the current pass fails', async () => {
  const passes: string[] = []
  const ends: ((error?: Error) => void)[] = []
  const work = new Passes<string>(
    (input) => {
      passes.push(input)
      return new Promise((resolve, reject) => ends.push((error) => (error === undefined ? resolve() : reject(error))))
    },
    (earlier, later) => earlier + later,
  )
  const first = work.run('a')
  const later = [work.run('b'), work.run('c')]
  ends[0]?.(new Error('failed'))
  await expect(first).rejects.toThrow('failed')
  await until(() => ends.length === 2)
  ends[1]?.()
  await Promise.all(later)
  expect(passes).toEqual(['a', 'bc'])
})
