import type { Minted, TokenStore } from 'latchkey'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { instance, mint, pause } from '../latchkey/harness.js'
import { ownFolder, ownSchema } from '../stores/sql/databases.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'

const NODES = 4
const TOKENS = 8
const USES = 1_000_000
/** The number of concurrent uses on each node. */
const TOGETHER = 500

type Place = { open(): TokenStore; remove(): Promise<unknown> }

const postgres = await service('postgres')
const redis = await service('redis')

const places: readonly (readonly [name: string, skip: string | undefined, make: () => Promise<Place>])[] = [
  [
    'SQLite',
    undefined,
    async () => {
      const folder = await ownFolder()
      return { open: () => sqliteStore({ path: folder.path('tokens.db'), busyTimeout: 20 }), remove: folder.remove }
    },
  ],
  [
    'Postgres',
    postgres.skip,
    async () => {
      const { url, schema, remove } = await ownSchema(postgres.url ?? '')
      return { open: () => postgresStore({ url, schema }), remove }
    },
  ],
  [
    'Redis',
    redis.skip,
    async () => {
      const url = redis.url ?? ''
      const keyPrefix = newKeyPrefix()
      return { open: () => redisStore({ url, keyPrefix }), remove: () => withRedis(url, (client) => removeKeys(client, keyPrefix)) }
    },
  ],
]

describe('a million concurrent uses on several instances', () => {
  for (const [name, skip, make] of places) {
    it.skipIf(skip !== undefined)(
      `counts a million uses exactly even if responses to batches are lost: ${name} ${skip ?? ''}`,
      async () => {
        const place = await make()
        onTestFinished(() => place.remove().then(() => undefined))
        let sent = 0
        let lost = 0
        let calm = false
        const nodes = Array.from({ length: NODES }, () =>
          instance({
            store: interceptStore(place.open(), async ({ method }, proceed) => {
              const answer = await proceed()
              if (method === 'recordUsage') sent += 1
              if (method !== 'recordUsage' || sent % 3 !== 0 || calm) return answer
              lost += 1
              throw new Error('the response was lost')
            }),
            usage: { flushEvery: 0.05 },
          }),
        )
        const [first] = nodes
        if (first === undefined) throw new Error('no node')
        const made: Minted[] = []
        const expected: number[] = Array.from({ length: TOKENS }, () => 0)
        for (let count = 0; count < TOKENS; count += 1) made.push(await mint(first))
        await Promise.all(
          nodes.map(async (node, at) => {
            for (let use = 0; use < USES / NODES; use += TOGETHER) {
              const which = (use / TOGETHER + at) % TOKENS
              const token = made[which]?.token ?? ''
              expected[which] = (expected[which] ?? 0) + TOGETHER
              const request = { method: 'GET', endpoint: `/e${at % 2}`, ip: `192.0.2.${at}` }
              const answers = await Promise.all(Array.from({ length: TOGETHER }, () => node.verify(token, request)))
              expect(answers.every(({ ok }) => ok)).toBe(true)
              await pause(0)
            }
          }),
        )
        calm = true
        await Promise.all(nodes.map((node) => node.close()))
        expect(lost, 'batches whose response was lost').toBeGreaterThan(0)
        const reader = instance({ store: place.open() })
        const reports = await Promise.all(made.map(({ record }) => reader.system.usage(record.id)))
        const sum = (counts: readonly { readonly count: number }[]): number => counts.reduce((total, { count }) => total + count, 0)
        expect(sum(reports.map(({ total }) => ({ count: total })))).toBe(USES)
        expect(sum(reports.flatMap(({ addresses }) => addresses))).toBe(USES)
        expect(reports.map(({ total }) => total)).toEqual(expected)
        await reader.close()
      },
      120_000,
    )
  }
})
