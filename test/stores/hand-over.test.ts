import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { bundled } from '../support/bundle.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'
import { ownDatabase, ownSchema } from './sql/databases.js'

const CHILD = new URL('./hand-over/child.ts', import.meta.url)

/** Runs a process whose connections are ended between calls, and returns its exit code and output. */
const survive = async (kind: string, url: string, name: string): Promise<{ readonly code: unknown; readonly said: string }> => {
  const running = spawn(process.execPath, [await bundled(CHILD), kind, url, name], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [running.stdout, running.stderr]) stream.on('data', (chunk) => (said += String(chunk)))
  const [code] = await once(running, 'exit')
  return { code, said }
}

const alive = { code: 0, said: expect.stringMatching(/alive after [1-9]\d* cuts/) }

const postgres = await service('postgres')
describe.skipIf(postgres.skip)(`a Postgres connection that ends between calls ${postgres.skip ?? ''}`, () => {
  it.each(['postgres url', 'postgres pool'])(
    'keeps the process alive if a Postgres connection ends between calls (%s)',
    { timeout: 120_000 },
    async (kind) => {
      const place = await ownSchema(postgres.url ?? '')
      try {
        expect(await survive(kind, place.url, place.schema)).toEqual(alive)
      } finally {
        await place.remove()
      }
    },
  )
})

const mysql = await service('mysql')
describe.skipIf(mysql.skip)(`a MySQL connection that ends between calls ${mysql.skip ?? ''}`, () => {
  it.each(['mysql url', 'mysql pool'])(
    'keeps the process alive if a MySQL connection ends between calls (%s)',
    { timeout: 120_000 },
    async (kind) => {
      const place = await ownDatabase(mysql.url ?? '')
      try {
        expect(await survive(kind, place.url, place.schema)).toEqual(alive)
      } finally {
        await place.remove()
      }
    },
  )
})

const redis = await service('redis')
describe.skipIf(redis.skip)(`a Redis connection that ends between calls ${redis.skip ?? ''}`, () => {
  it.each(['redis url', 'redis ioredis', 'redis node-redis'])(
    'keeps the process alive if a Redis connection ends between calls (%s)',
    { timeout: 120_000 },
    async (kind) => {
      const keyPrefix = newKeyPrefix()
      try {
        expect(await survive(kind, redis.url ?? '', keyPrefix)).toEqual(alive)
      } finally {
        await withRedis(redis.url ?? '', (client) => removeKeys(client, keyPrefix))
      }
    },
  )
})
