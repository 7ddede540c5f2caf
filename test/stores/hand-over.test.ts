import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { bundled } from '../support/bundle.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'
import { ownDatabase, ownSchema } from './sql/databases.js'

const CHILD = new URL('./hand-over/child.ts', import.meta.url)

/** Runs a process in which connections are ended while they change hands, and answers its exit code and what it said. */
const survive = async (kind: string, url: string, name: string): Promise<{ readonly code: unknown; readonly said: string }> => {
  const running = spawn(process.execPath, [await bundled(CHILD), kind, url, name], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [running.stdout, running.stderr]) stream.on('data', (chunk) => (said += String(chunk)))
  const [code] = await once(running, 'exit')
  return { code, said }
}

const alive = { code: 0, said: expect.stringMatching(/alive after [1-9]\d* cuts/) }

const postgres = await service('postgres')
describe.skipIf(postgres.skip)(`a postgres connection that ends while it changes hands ${postgres.skip ?? ''}`, () => {
  it.each(['postgres url', 'postgres pool'])('does not end the process (%s)', { timeout: 60_000 }, async (kind) => {
    const place = await ownSchema(postgres.url ?? '')
    try {
      expect(await survive(kind, place.url, place.schema)).toEqual(alive)
    } finally {
      await place.remove()
    }
  })
})

const mysql = await service('mysql')
describe.skipIf(mysql.skip)(`a mysql connection that ends while it changes hands ${mysql.skip ?? ''}`, () => {
  it.each(['mysql url', 'mysql pool'])('does not end the process (%s)', { timeout: 60_000 }, async (kind) => {
    const place = await ownDatabase(mysql.url ?? '')
    try {
      expect(await survive(kind, place.url, place.schema)).toEqual(alive)
    } finally {
      await place.remove()
    }
  })
})

const redis = await service('redis')
describe.skipIf(redis.skip)(`a redis connection that ends while it changes hands ${redis.skip ?? ''}`, () => {
  it.each(['redis url', 'redis ioredis', 'redis node-redis'])('does not end the process (%s)', { timeout: 60_000 }, async (kind) => {
    const keyPrefix = newKeyPrefix()
    try {
      expect(await survive(kind, redis.url ?? '', keyPrefix)).toEqual(alive)
    } finally {
      await withRedis(redis.url ?? '', (client) => removeKeys(client, keyPrefix))
    }
  })
})
