import { expect, it } from 'vitest'
import { reportUsage } from '../../adapters/stores/redis/activity.js'
import type { Connection } from '../../adapters/stores/redis/connection.js'

it('requests no more counters from each Redis script than the limit leaves', async () => {
  const counters = [8, 2, 0]
  const asked: unknown[] = []
  const run: Connection['run'] = async (_script, args) => {
    asked.push(args[4])
    const fields = Array.from({ length: counters.shift() ?? 0 }, (_, at) => [JSON.stringify([at, 'GET /', 'allowed', '']), '1'])
    return [[args[6], fields.flat(), []]]
  }
  const tokenIds = Array.from({ length: 120 }, (_, at) => `token${at}`)
  const { counts } = await reportUsage({ run } as Connection, { tokenIds, limit: 10 })
  expect(counts).toHaveLength(10)
  expect(asked).toEqual([10, 2, 0])
})
