import { expect, it } from 'vitest'
import { reportUsage } from '../../adapters/stores/redis/activity.js'
import type { Connection } from '../../adapters/stores/redis/connection.js'
import { trimUsage } from '../../adapters/stores/redis/retention.js'
import { instance, mint } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const redis = (await everyStore()).find(({ kind }) => kind === 'redis')

it('requests no more counters from each Redis script than the limit still allows', async () => {
  const counters = [8, 2, 0]
  const asked: unknown[] = []
  const run: Connection['run'] = async (_script, args) => {
    asked.push(args[4])
    const fields = Array.from({ length: counters.shift() ?? 0 }, (_, at) => [JSON.stringify([at, 'GET /', 'allowed', '']), '1'])
    return args.slice(8).map((id, at) => [id, at === 0 ? fields.flat() : [], [], '', at === 0 ? fields.length : 0])
  }
  const tokenIds = Array.from({ length: 120 }, (_, at) => `token${at}`)
  const { counts } = await reportUsage({ run } as Connection, { tokenIds, limit: 10 })
  expect(counts).toHaveLength(10)
  expect(asked).toEqual([10, 2, 0])
})

it('continues where a Redis script stopped, within a token and between tokens, and adds up the parts of a step', async () => {
  const sum = (uses: number): string[] => ['[0,"","allowed",""]', String(uses)]
  const answers = [
    [['a', sum(1), [], '600', 1]],
    [['a', sum(2), [], '601', 2]],
    [
      ['a', sum(4), [], '', 4],
      ['b', sum(8), [], '', 8],
    ],
    [['c', sum(16), [], '', 16]],
  ]
  const asked: unknown[] = []
  const run: Connection['run'] = async (_script, args) => {
    asked.push(args.slice(7))
    return answers.shift()
  }
  const { counts, summed } = await reportUsage({ run } as Connection, { tokenIds: ['a', 'b', 'c'], from: 0, stepMs: DAY_MS })
  expect(summed).toBe(31)
  expect(asked).toEqual([
    ['', 'a', 'b', 'c'],
    ['600', 'a', 'b', 'c'],
    ['601', 'a', 'b', 'c'],
    ['', 'c'],
  ])
  expect(counts.map(({ tokenId, count }) => [tokenId, count])).toEqual([
    ['a', 7],
    ['b', 8],
    ['c', 16],
  ])
})

it('the next Redis script trims the tokens that the previous one did not reach', async () => {
  const answers = [
    [0, 1],
    [1, 2],
    [0, 1],
  ]
  const asked: unknown[] = []
  const run: Connection['run'] = async (_script, args) => {
    asked.push(args.slice(5))
    return answers.shift()
  }
  expect(await trimUsage({ run } as Connection, { tokenIds: ['a', 'b', 'c', 'd'], countsBefore: 1 })).toBe(true)
  expect(asked).toEqual([['a', 'b', 'c', 'd'], ['b', 'c', 'd'], ['d']])
})

it.skipIf(redis === undefined || redis.skip !== undefined)(
  'reports every use of tokens with more counters than one Redis script reads',
  async () => {
    const open = await redis?.place()
    const store = open?.()
    if (store === undefined) return
    const tokens = instance({ store })
    const ids = [(await mint(tokens)).record.id, (await mint(tokens)).record.id]
    const from = Date.UTC(2030, 0, 1)
    const endpoints = ['GET /stock', 'GET /"quoted\\",', 'GET /a\\', 'POST /ü", "allowed", "']
    const outcomes = ['allowed', 'secret_mismatch'] as const
    let seq = 0
    for (const [at, tokenId] of ids.entries()) {
      for (let day = 0; day < 70; day += 1) {
        const hours = Array.from({ length: 24 }, (_, hour) => from + day * DAY_MS + hour * HOUR_MS)
        const counts = hours.flatMap((bucketAt) =>
          endpoints.flatMap((endpoint) => outcomes.map((outcome) => ({ tokenId, bucketAt, endpoint, outcome, scope: '', count: at + 1 }))),
        )
        await store.recordUsage({ nodeId: 'n1', seq: ++seq, at: from, counts, addresses: [], lastUses: [] })
      }
    }
    const { counts } = await store.usage({ tokenIds: ids })
    expect(counts).toHaveLength(2 * 70 * 24 * 8)
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(3 * 70 * 24 * 8)
    const steps = (await store.usage({ tokenIds: ids, from, stepMs: 7 * DAY_MS })).counts
    expect(steps).toHaveLength(2 * 10 * 2)
    while (await store.trimUsage({ tokenIds: ids, countsBefore: from + 69 * DAY_MS }));
    expect((await store.usage({ tokenIds: ids })).counts).toHaveLength(2 * 24 * 8)
    for (const { tokenId, count } of steps) expect(count).toBe(7 * 24 * 4 * (ids.indexOf(tokenId) + 1))
  },
)
