import type { Redis } from 'ioredis'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import type { TokenStore } from '../../src/store/port.js'

/** Everything in a database, as one text. */
export type Dump = () => Promise<string>

type Query = (text: string) => Promise<readonly Record<string, unknown>[]>

/** The name index of SQLite stores bytes, which are read unchanged. */
const asText = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    Object(each).type === 'Buffer' ? Buffer.from(Object(each).data as number[]).toString('latin1') : each,
  )

/** Every row of every table whose name the query returns as `name`. */
export async function dumpTables(query: Query, tables: string, quote: (name: string) => string): Promise<string> {
  const parts: string[] = []
  for (const { name } of await query(tables)) parts.push(String(name), asText(await query(`select * from ${quote(String(name))}`)))
  return parts.join('\n')
}

/** Every table of a SQLite file, including those of the name index. */
export async function dumpSqlite(path: string): Promise<string> {
  const Driver = await findDriver('libsql')
  const database = new Driver(path)
  try {
    const query: Query = async (text) => database.prepare(text).all() as Record<string, unknown>[]
    return await dumpTables(query, "select name from sqlite_master where type = 'table'", (name) => `"${name}"`)
  } finally {
    database.close()
  }
}

/** Every key under a prefix, with its value. */
export async function dumpRedis(client: Redis, keyPrefix: string): Promise<string> {
  const parts: string[] = []
  for await (const keys of client.scanStream({ match: `${keyPrefix}*`, count: 1000 })) {
    for (const key of keys as string[]) parts.push(key, asText(await read(client, key)))
  }
  return parts.join('\n')
}

async function read(client: Redis, key: string): Promise<unknown> {
  switch (await client.type(key)) {
    case 'string':
      return client.get(key)
    case 'hash':
      return client.hgetall(key)
    case 'list':
      return client.lrange(key, 0, -1)
    case 'set':
      return client.smembers(key)
    case 'zset':
      return client.zrange(key, '0', '-1', 'WITHSCORES')
    default:
      throw new Error(`the test does not know how to read ${key}`)
  }
}

/** Everything that a memory store returns for a prefix, with its feed from `start` on. */
export async function dumpMemory(store: TokenStore, prefix: string, start: string): Promise<string> {
  const tokens = await store.list({ prefix, now: 0, limit: 1000 })
  return asText([
    tokens,
    await store.find(tokens.map(({ id }) => id)),
    await store.events({ prefix, limit: 1000 }),
    await store.usage({ tokenIds: tokens.map(({ id }) => id) }),
    await store.changes(start, 1000),
    await store.consumers(prefix),
    await store.seals({ prefix, limit: 100 }),
  ])
}
