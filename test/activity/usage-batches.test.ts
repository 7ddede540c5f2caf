import { memoryStore } from 'latchkey/stores/memory'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { interceptStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import type { UsageBatch } from '../../src/model/usage.js'
import { instance, mint } from '../latchkey/harness.js'

it('flushes usage in batches of the size that the store requests, and yields between them', async () => {
  const batches: UsageBatch[] = []
  let turns = 0
  const seenAt: number[] = []
  const store = interceptStore({ ...memoryStore(), usageRows: 30 }, ({ method, args }, proceed) => {
    if (method === 'recordUsage') {
      batches.push(args[0] as UsageBatch)
      seenAt.push(turns)
    }
    return proceed()
  })
  const tokens = instance({ store, usage: { flushEvery: 60 } })
  const made = await Promise.all(Array.from({ length: 100 }, () => mint(tokens)))
  for (const { token } of made) await tokens.verify(token, { ip: '192.0.2.1', endpoint: '/stock' })
  const turn = setInterval(() => {
    turns += 1
  })
  await tokens.close()
  clearInterval(turn)
  // Three rows per token: a last use, a counter and an address.
  expect(batches.map(({ lastUses }) => lastUses.length)).toEqual(Array.from({ length: 10 }, () => 10))
  expect(new Set(batches.map(({ seq }) => seq)).size).toBe(10)
  expect(seenAt.at(-1)).toBeGreaterThan(0)
})

it('usage is written to SQLite in batches of fewer than 200 rows', () => {
  expect(sqliteStore('unused.db').usageRows).toBeLessThan(200)
})
