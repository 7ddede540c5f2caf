import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { bundled } from '../support/bundle.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'
import { ownDatabase, ownFolder, ownSchema } from './sql/databases.js'
import { proxyBefore } from './sql/proxy.js'

const CHILD = new URL('./exit/child.ts', import.meta.url)

/** Runs a script that never closes its store and returns how it ended. Kills the script if it does not exit on its own. */
const run = async (
  kind: string,
  url = '',
  name = '',
  last = '',
  onSaid: () => unknown = () => {},
): Promise<{ readonly code: unknown; readonly said: string }> => {
  const script = spawn(process.execPath, [await bundled(CHILD), kind, url, name, last], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  let errors = ''
  script.stdout.on('data', (chunk) => (said += String(chunk)))
  script.stdout.once('data', () => void onSaid())
  script.stderr.on('data', (chunk) => (errors += String(chunk)))
  const hung = setTimeout(() => script.kill('SIGKILL'), 20_000)
  const [code, signal] = await once(script, 'exit')
  clearTimeout(hung)
  return { code: code ?? signal, said: said + errors }
}

/** Runs a script against a server that stops before the script ends and does not come back. */
const runAway = async (kind: string, url: string, port: number, name: string, last = 'linger', how: 'die' | 'forget' = 'die') => {
  const proxy = await proxyBefore(url, port)
  try {
    return await run(kind, proxy.url, name, last, () => proxy[how]())
  } finally {
    await proxy.close()
  }
}

const closed = { code: 0, said: '{"before":true,"after":false}\nclosed\n' }
const ended = { code: 0, said: '{"before":true,"after":false}\n' }

describe('a script that does not close its store', () => {
  it('lets a script exit without closing the memory store', { timeout: 120_000 }, async () => {
    expect(await run('memory')).toEqual(ended)
  })

  it.each(['sqlite path', 'sqlite database'])('lets a script exit without closing its store (%s)', { timeout: 120_000 }, async (kind) => {
    const folder = await ownFolder()
    try {
      expect(await run(kind, folder.path('tokens.db'))).toEqual({ ...ended, said: expect.stringContaining(ended.said) })
    } finally {
      await folder.remove()
    }
  })
})

const postgres = await service('postgres')
describe.skipIf(postgres.skip)(`a script that does not close its store on Postgres ${postgres.skip ?? ''}`, () => {
  const kinds = ['postgres url', 'postgres pool that may exit', 'postgres pool that is ended']
  it.each(kinds)('lets a script exit without closing its store (%s)', { timeout: 120_000 }, async (kind) => {
    const place = await ownSchema(postgres.url ?? '')
    try {
      expect(await run(kind, place.url, place.schema)).toEqual(ended)
    } finally {
      await place.remove()
    }
  })

  it('a script exits while Postgres is down, with and without close() as its last line', { timeout: 120_000 }, async () => {
    const place = await ownSchema(postgres.url ?? '')
    try {
      expect(await runAway('postgres url', place.url, 5432, place.schema)).toEqual(ended)
      expect(await run('postgres url', place.url, place.schema, 'close')).toEqual(closed)
      expect(await run('postgres pool that may exit', place.url, place.schema, 'close')).toEqual(closed)
    } finally {
      await place.remove()
    }
  })

  it('lets a script whose last line is close() exit, even if its Postgres connections died silently', { timeout: 120_000 }, async () => {
    const place = await ownSchema(postgres.url ?? '')
    try {
      expect(await runAway('postgres url', place.url, 5432, place.schema, 'linger and close', 'forget')).toEqual(closed)
    } finally {
      await place.remove()
    }
  })
})

const mysql = await service('mysql')
describe.skipIf(mysql.skip)(`a script that does not close its store on MySQL ${mysql.skip ?? ''}`, () => {
  const kinds = ['mysql url', 'mysql pool that is ended', 'mysql promise pool that is ended']
  it.each(kinds)('lets a script exit without closing its store (%s)', { timeout: 120_000 }, async (kind) => {
    const place = await ownDatabase(mysql.url ?? '')
    try {
      expect(await run(kind, place.url)).toEqual(ended)
    } finally {
      await place.remove()
    }
  })

  it('a script exits while MySQL is down, with and without close() as its last line', { timeout: 120_000 }, async () => {
    const place = await ownDatabase(mysql.url ?? '')
    try {
      expect(await runAway('mysql url', place.url, 3306, '')).toEqual(ended)
      expect(await run('mysql url', place.url, '', 'close')).toEqual(closed)
    } finally {
      await place.remove()
    }
  })

  it('lets a script that ends with close() exit, even if its MySQL connections died silently', { timeout: 120_000 }, async () => {
    const place = await ownDatabase(mysql.url ?? '')
    try {
      expect(await runAway('mysql url', place.url, 3306, '', 'linger and close', 'forget')).toEqual(closed)
    } finally {
      await place.remove()
    }
  })
})

const redis = await service('redis')
describe.skipIf(redis.skip)(`a script that does not close its store on Redis ${redis.skip ?? ''}`, () => {
  const kinds = ['redis url', 'redis ioredis that quits', 'redis node-redis that quits']
  it.each(kinds)('lets a script exit without closing its store (%s)', { timeout: 120_000 }, async (kind) => {
    const keyPrefix = newKeyPrefix()
    try {
      expect(await run(kind, redis.url ?? '', keyPrefix)).toEqual(ended)
    } finally {
      await withRedis(redis.url ?? '', (client) => removeKeys(client, keyPrefix))
    }
  })

  it('a script exits while Redis is down, with and without close() as its last line', { timeout: 120_000 }, async () => {
    const keyPrefix = newKeyPrefix()
    try {
      expect(await runAway('redis url', redis.url ?? '', 6379, keyPrefix)).toEqual(ended)
      expect(await run('redis url', redis.url ?? '', keyPrefix, 'close')).toEqual(closed)
      expect(await runAway('redis url', redis.url ?? '', 6379, keyPrefix, 'linger and close', 'forget')).toEqual(closed)
      expect(await run('redis where only node-redis is installed', redis.url ?? '', keyPrefix)).toEqual({ code: 0, said: 'done\n' })
    } finally {
      await withRedis(redis.url ?? '', (client) => removeKeys(client, keyPrefix))
    }
  })
})
