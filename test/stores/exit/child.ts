import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { createPool } from 'mysql2'
import { createPool as createPromisePool } from 'mysql2/promise'
import { Pool } from 'pg'
import * as nodeRedis from 'redis'
import { ownConnection } from '../../../adapters/stores/redis/connection.js'
import { openNodeRedis } from '../../../adapters/stores/redis/open.js'
import { scripts } from '../../../adapters/stores/redis/scripts.js'
import { findDriver } from '../../../adapters/stores/sql/dialects/sqlite-open.js'
import type { TokenStore } from '../../../src/store/port.js'

// A typical script: it creates a token, verifies it and exits, either without close() or with close() as its last line.
const [, , kind = '', url = '', name = '', last = ''] = process.argv

type Setup = { readonly store: TokenStore; end?(): unknown }

const setups: { readonly [kind: string]: () => Setup | Promise<Setup> } = {
  memory: () => ({ store: memoryStore() }),
  'sqlite path': () => ({ store: sqliteStore(url) }),
  'sqlite database': async () => ({ store: sqliteStore({ database: new (await findDriver())(url) }) }),
  'postgres url': () => ({ store: postgresStore({ url, schema: name }) }),
  'postgres pool that may exit': () => ({
    store: postgresStore({ pool: new Pool({ connectionString: url, allowExitOnIdle: true }), schema: name }),
  }),
  'postgres pool that is ended': () => {
    const pool = new Pool({ connectionString: url, max: 2 })
    return { store: postgresStore({ pool, schema: name }), end: () => pool.end() }
  },
  'mysql url': () => ({ store: mysqlStore({ url }) }),
  'mysql pool that is ended': () => {
    const pool = createPool({ uri: url, connectionLimit: 1 })
    return { store: mysqlStore({ pool }), end: () => pool.promise().end() }
  },
  'mysql promise pool that is ended': () => {
    const pool = createPromisePool({ uri: url, connectionLimit: 2 })
    return { store: mysqlStore({ pool }), end: () => pool.end() }
  },
  'redis url': () => ({ store: redisStore({ url, keyPrefix: name, onWarning: () => {} }) }),
  'redis ioredis that quits': () => {
    const client = new Redis(url)
    return { store: redisStore({ client, keyPrefix: name, onWarning: () => {} }), end: () => client.quit() }
  },
  'redis node-redis that quits': async () => {
    const client = await nodeRedis.createClient({ url }).connect()
    return { store: redisStore({ client: client as never, keyPrefix: name, onWarning: () => {} }), end: () => client.close() }
  },
}

if (kind === 'redis where only node-redis is installed') {
  const connection = ownConnection(() => openNodeRedis(nodeRedis, url), name)
  await connection.run(scripts.readLeases, [0])
  console.log('done')
} else {
  const setup = await setups[kind]?.()
  if (setup === undefined) throw new Error(kind)
  const tokens = latchkey({ prefix: 'acme_test', store: setup.store, scopes: { 'inventory:read': 'See stock' }, logger: false })
  const { token, record } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
  const before = await tokens.verify(token ?? '')
  // Long enough for the subscription and the first polls.
  await sleep(400)
  await tokens.system.revoke(record.id, { reason: 'over' })
  const after = await tokens.verify(token ?? '')
  console.log(JSON.stringify({ before: before.ok, after: after.ok }))
  // The parent process stops the server now.
  if (last.startsWith('linger')) await sleep(1_000)
  await setup.end?.()
  if (last.endsWith('close')) {
    const closing = tokens.close()
    // Over a dead link, the store cannot know whether everything was written.
    await (last === 'close' ? closing : closing.catch(() => {}))
    console.log('closed')
  }
}
