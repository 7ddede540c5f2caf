import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Limiter } from 'latchkey'
import pg from 'pg'
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRedis } from 'rate-limiter-flexible'
import { createClient } from 'redis'
import { service } from '../support/services.js'

/** Limiters of one kind with shared counts, as on several nodes: each has its own connection. */
export type Nodes = { readonly limiters: readonly Limiter[]; readonly close: () => Promise<void> }

export type Kind = {
  readonly name: string
  readonly skip: string | undefined
  readonly start: (nodes: number, points: number, duration: number) => Promise<Nodes>
}

const redis = await service('redis')
const postgres = await service('postgres')

const unique = (): string => `test_${randomBytes(6).toString('hex')}`

/** Every kind of limiter that the tests run against. */
export const kinds: readonly Kind[] = [
  {
    name: 'memory',
    skip: undefined,
    async start(nodes, points, duration) {
      const limiter = new RateLimiterMemory({ points, duration })
      return { limiters: Array.from({ length: nodes }, () => limiter), close: async () => undefined }
    },
  },
  {
    name: 'Redis by ioredis',
    skip: redis.skip,
    async start(nodes, points, duration) {
      const keyPrefix = unique()
      const clients = Array.from({ length: nodes }, () => new Redis(redis.url ?? ''))
      const limiters = clients.map((storeClient) => new RateLimiterRedis({ storeClient, keyPrefix, points, duration }))
      const close = async (): Promise<void> => {
        const keys = (await clients[0]?.keys(`${keyPrefix}*`)) ?? []
        if (keys.length > 0) await clients[0]?.unlink(...keys)
        for (const client of clients) client.disconnect()
      }
      return { limiters, close }
    },
  },
  {
    name: 'Redis by node-redis',
    skip: redis.skip,
    async start(nodes, points, duration) {
      const keyPrefix = unique()
      const clients = await Promise.all(Array.from({ length: nodes }, () => createClient({ url: redis.url ?? '' }).connect()))
      const limiters = clients.map(
        (storeClient) => new RateLimiterRedis({ storeClient, keyPrefix, points, duration, useRedisPackage: true }),
      )
      const close = async (): Promise<void> => {
        const keys = (await clients[0]?.keys(`${keyPrefix}*`)) ?? []
        if (keys.length > 0) await clients[0]?.unlink(keys)
        for (const client of clients) client.destroy()
      }
      return { limiters, close }
    },
  },
  {
    name: 'Postgres',
    skip: postgres.skip,
    async start(nodes, points, duration) {
      const tableName = unique()
      const pools = Array.from({ length: nodes }, () => new pg.Pool({ connectionString: postgres.url, max: 5 }))
      const limiters: Limiter[] = []
      // One after another, because two limiters that create the table at the same time can fail.
      for (const storeClient of pools) {
        const limiter = await new Promise<Limiter>((resolve, reject) => {
          const made = new RateLimiterPostgres(
            { storeClient, tableName, keyPrefix: 'rl', points, duration, clearExpiredByTimeout: false },
            (error) => (error ? reject(error) : resolve(made)),
          )
        })
        limiters.push(limiter)
      }
      const close = async (): Promise<void> => {
        await pools[0]?.query(`drop table if exists "${tableName}"`)
        await Promise.all(pools.map((pool) => pool.end()))
      }
      return { limiters, close }
    },
  },
]
