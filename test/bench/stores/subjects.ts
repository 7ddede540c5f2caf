import { stat } from 'node:fs/promises'
import { Redis } from 'ioredis'
import { CompiledQuery } from 'kysely'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { createPool } from 'mysql2/promise'
import { Pool } from 'pg'
import { sqliteHandle } from '../../../adapters/stores/sql/dialects/sqlite-handle.js'
import { findDriver } from '../../../adapters/stores/sql/dialects/sqlite-open.js'
import type { TokenStore } from '../../../src/store/port.js'
import { ownDatabase, ownFolder, ownSchema } from '../../stores/sql/databases.js'
import { newKeyPrefix, removeKeys, withRedis } from '../../support/redis.js'
import { type ServiceName, service } from '../../support/services.js'

/** A store to measure, and its driver without latchkey. */
export type Subject = {
  readonly store: TokenStore
  /** Reads one token's row by its ID, as an application with only the driver would. */
  raw(id: string): Promise<unknown>
  /** The size of the data on the server, in bytes. */
  bytes(): Promise<number>
  /** Makes the server analyze its tables, as its own maintenance does now and then. */
  settle(): Promise<unknown>
  remove(): Promise<void>
}

const urlOf = async (name: ServiceName): Promise<string> => {
  const { url, skip } = await service(name)
  if (url === undefined) throw new Error(skip)
  return url
}

const sqlite = async (): Promise<Subject> => {
  const folder = await ownFolder()
  const path = folder.path('tokens.db')
  const store = sqliteStore(path)
  await store.migrate?.()
  const Driver = await findDriver()
  const handle = sqliteHandle(new Driver(path))
  const text = 'select * from latchkey_tokens where id = ?'
  return {
    store,
    raw: async (id) => handle.run({ ...CompiledQuery.raw(text), parameters: [id] }).rows,
    bytes: async () => (await stat(path)).size,
    settle: async () => handle.exec('pragma wal_checkpoint(truncate)'),
    async remove() {
      handle.close()
      await store.close?.()
      await folder.remove()
    },
  }
}

const postgres = async (): Promise<Subject> => {
  const place = await ownSchema(await urlOf('postgres'))
  const store = postgresStore({ url: place.url, schema: place.schema })
  await store.migrate?.()
  const pool = new Pool({ connectionString: place.url, max: 10 })
  const text = `select * from "${place.schema}".latchkey_tokens where id = $1`
  return {
    store,
    raw: (id) => pool.query({ name: 'bench', text, values: [id] }),
    bytes: async () => Number((await place.query("select pg_total_relation_size('latchkey_tokens') as bytes"))[0]?.bytes),
    settle: () => place.query('vacuum analyze latchkey_tokens'),
    async remove() {
      await pool.end()
      await store.close?.()
      await place.remove()
    },
  }
}

const mysql = async (): Promise<Subject> => {
  const place = await ownDatabase(await urlOf('mysql'))
  const store = mysqlStore({ url: place.url })
  await store.migrate?.()
  const pool = createPool({ uri: place.url, connectionLimit: 10 })
  const size = `select data_length + index_length as bytes from information_schema.tables where table_schema = '${place.schema}' and table_name = 'latchkey_tokens'`
  return {
    store,
    raw: (id) => pool.execute('select * from latchkey_tokens where id = ?', [id]),
    bytes: async () => Number((await place.query(size))[0]?.bytes),
    settle: () => place.query('analyze table latchkey_tokens'),
    async remove() {
      await pool.end()
      await store.close?.()
      await place.remove()
    },
  }
}

const redis = async (): Promise<Subject> => {
  const url = await urlOf('redis')
  const keyPrefix = newKeyPrefix()
  const store = redisStore({ url, keyPrefix })
  await store.migrate?.()
  const client = new Redis(url)
  const used = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
  const before = await used()
  return {
    store,
    raw: (id) => client.get(`${keyPrefix}r:${id}`),
    bytes: async () => (await used()) - before,
    settle: async () => undefined,
    async remove() {
      client.disconnect()
      await store.close?.()
      await withRedis(url, (other) => removeKeys(other, keyPrefix))
    },
  }
}

/** The stores that can be measured. */
export const subjects: { readonly [name: string]: () => Promise<Subject> } = { sqlite, postgres, mysql, redis }
