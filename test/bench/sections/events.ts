import { rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Latchkey, latchkey, type StoredEvent, type StoredToken, type TokenStore } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { webhooks } from 'latchkey/webhooks'
import { generateId } from '../../../src/token/generate.js'
import { platformRandom } from '../../../src/token/random.js'
import { ownDatabase, ownSchema } from '../../stores/sql/databases.js'
import { newKeyPrefix, removeKeys, withRedis } from '../../support/redis.js'
import { service } from '../../support/services.js'
import { quantile } from '../paired.js'
import { fixed, type Section } from '../result.js'

const PREFIX = 'acme_live'

type Subject = { readonly name: string; readonly open: () => TokenStore; readonly remove: () => unknown }

/** The cost that an event adds to a commit, and the cost that its later readers (sealing, a consumer and a webhook) add to a change. */
export const events: Section = async ({ quick }) => {
  const rounds = quick ? 20 : 500
  const rows: string[][] = []
  const receiver = createServer((request, response) => request.resume().on('end', () => response.end()))
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`
  for (const { name, open, remove } of await subjects()) {
    const store = open()
    await store.migrate?.()
    const other = open()
    const scopes = { 'inventory:read': 'See stock' }
    const plain = latchkey({ prefix: PREFIX, store, scopes, logger: false })
    // A separate node that also does all the work on events.
    const busy = latchkey({ prefix: PREFIX, store: other, scopes, logger: false, sealing: { every: '10s' } })
    const consumer = busy.system.consume('bench', () => undefined)
    const sending = latchkey({ prefix: PREFIX, store: open(), scopes, logger: false })
    const hooks = webhooks(sending, {
      webhookKey: 'a key for the benchmark, of enough characters',
      endpoints: [{ id: 'bench', url }],
      allowPrivate: ['127.0.0.1'],
    })
    const times = await alternate(rounds, [
      () => store.commit({ inserts: [token()], events: [] }),
      () => store.commit({ inserts: [token()], events: [event()] }),
      () => create(plain),
      () => create(busy),
      () => create(sending),
    ])
    const medians = times.map((samples) => quantile(samples, 0.5))
    const ratio = (at: number, to: number): string => fixed((medians[at] ?? Number.NaN) / (medians[to] ?? Number.NaN))
    const micros = times.map((samples) => fixed(quantile(samples, 0.1), 0))
    rows.push([name, ...micros, ratio(1, 0), ratio(3, 2), ratio(4, 2)])
    await Promise.all([consumer.stop(), hooks.stop()])
    await Promise.all([plain.close(), busy.close(), sending.close()])
    await remove()
  }
  await new Promise((resolve) => receiver.close(resolve))
  const head = [
    ...[
      'store',
      'commit of a token alone',
      'with its event',
      '`create()`',
      'with sealing and a consumer on the node',
      'with a webhook on the node',
    ],
    ...['ratio (median): event', 'sealing and consumer', 'webhook'],
  ]
  return { tables: [{ title: 'Time that events add to a commit, µs (p10)', head, rows }], verdicts: [] }
}

const create = (tokens: Latchkey<'inventory:read'>): Promise<unknown> => tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })

/** Longer than any work that follows a commit, such as the delivery of a webhook. */
const SETTLE_MS = 15

/** Runs each workload in turn, which spreads other load on the machine evenly. */
async function alternate(rounds: number, works: readonly (() => unknown)[]): Promise<number[][]> {
  const times = works.map((): number[] => [])
  for (let round = -10; round < rounds; round += 1) {
    // The order is shuffled each round, and the previous work settles first, so no measurement includes the aftereffects of the previous work.
    for (const at of shuffled(works.length)) {
      await pause(SETTLE_MS)
      const began = performance.now()
      await works[at]?.()
      if (round >= 0) times[at]?.push((performance.now() - began) * 1000)
    }
  }
  return times
}

function shuffled(length: number): readonly number[] {
  const order = Array.from({ length }, (_, at) => at)
  for (let last = length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1))
    ;[order[last], order[other]] = [order[other] ?? last, order[last] ?? other]
  }
  return order
}

function token(): StoredToken {
  const now = Date.now()
  const digest = Array.from(platformRandom(32), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const about = { id: generateId(platformRandom), prefix: PREFIX, digest, name: 'ERP', scopes: ['inventory:read'], createdBy: 'system' }
  return { ...about, version: 1, createdAt: now, updatedAt: now }
}

function event(): StoredEvent {
  const after = { name: 'ERP', scopes: ['inventory:read'] }
  return { id: generateId(platformRandom), at: Date.now(), action: 'token.created', prefix: PREFIX, actorId: 'system', after }
}

async function subjects(): Promise<readonly Subject[]> {
  const file = join(tmpdir(), `latchkey-bench-events-${process.pid}.db`)
  const memory = memoryStore()
  const found: Subject[] = [
    { name: 'memory', open: () => memory, remove: () => undefined },
    {
      name: 'SQLite',
      open: () => sqliteStore(file),
      remove: () => ['', '-wal', '-shm'].map((end) => rmSync(`${file}${end}`, { force: true })),
    },
  ]
  const { url: postgres } = await service('postgres')
  if (postgres !== undefined) {
    const { url, schema, remove } = await ownSchema(postgres)
    found.push({ name: 'Postgres', open: () => postgresStore({ url, schema }), remove })
  }
  const { url: mysql } = await service('mysql')
  if (mysql !== undefined) {
    const { url, remove } = await ownDatabase(mysql)
    found.push({ name: 'MySQL', open: () => mysqlStore({ url }), remove })
  }
  const { url: redis } = await service('redis')
  if (redis !== undefined) {
    const keyPrefix = newKeyPrefix()
    found.push({
      name: 'Redis',
      open: () => redisStore({ url: redis, keyPrefix, onWarning: () => undefined }),
      remove: () => withRedis(redis, (client) => removeKeys(client, keyPrefix)),
    })
  }
  return found
}
