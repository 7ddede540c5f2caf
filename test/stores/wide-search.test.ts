import { createRequire } from 'node:module'
import { Redis } from 'ioredis'
import { type Latchkey, latchkey } from 'latchkey'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { expect, it, onTestFinished, vi } from 'vitest'
import { prefixIndex, tenantIndex } from '../../adapters/stores/redis/keys.js'
import { MOST_SEARCHED, type TokenStore } from '../../src/store/port.js'
import { storedToken } from '../support/records.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'
import { ownDatabase, ownFolder, ownSchema } from './sql/databases.js'

const PREFIX = 'acme_test'
const TOO_SHORT = /^name: is too short to search more than 100,000 tokens: pass at least three characters/
const NO_INDEX = /^name: this store cannot search more than 100,000 tokens by name: add tenantId, ownerId or createdBy/

type Place = {
  readonly store: TokenStore
  /** Adds `MOST_SEARCHED` tokens of the tenant `large`, without the store. */
  fill(seed: string): Promise<unknown>
  /** Whether names have an index. */
  readonly indexed: boolean
}

const [postgres, mysql, redis] = await Promise.all([service('postgres'), service('mysql'), service('redis')])

const digits = `(${Array.from({ length: 10 }, (_, n) => `select ${n} as n`).join(' union all ')})`
const digit = ['a', 'b', 'c', 'd', 'e'] as const

/** Copies one row 100,000 times. */
function copies(table: string, columns: readonly string[], seed: string, joined: (parts: readonly string[]) => string): string {
  const id = joined(["'00000000000'", ...digit.map((name) => `${name}.n`)])
  const of: { readonly [column: string]: string } = { id, name: "'filler'", name_folded: "'filler'", tenant_id: "'large'" }
  // The database itself writes these two columns.
  const chosen = columns.filter((column) => column !== 'row_id' && column !== 'state')
  const values = chosen.map((column) => of[column] ?? `t.${column}`)
  const from = digit.map((name) => `cross join ${digits} ${name}`).join(' ')
  return `insert into ${table} (${chosen.join(', ')}) select ${values.join(', ')} from ${table} t ${from} where t.id = '${seed}'`
}

const piped = (parts: readonly string[]): string => parts.join(' || ')

const places: { readonly [kind: string]: { readonly skip: string | undefined; open(): Promise<Place> } } = {
  sqlite: {
    skip: undefined,
    async open() {
      const folder = await ownFolder()
      onTestFinished(() => folder.remove())
      const path = folder.path('tokens.db')
      const fill = async (seed: string): Promise<void> => {
        const Database = createRequire(import.meta.url)('libsql')
        const database = new Database(path)
        const columns = database.prepare('select name from pragma_table_info(?)').all('latchkey_tokens')
        const names = columns.map(({ name }: { readonly name: string }) => name)
        database.exec(copies('latchkey_tokens', names, seed, piped))
        database.close()
      }
      return { store: sqliteStore(path), fill, indexed: true }
    },
  },
  postgres: {
    skip: postgres.skip,
    async open() {
      const { url, schema, query, remove } = await ownSchema(postgres.url ?? '')
      onTestFinished(remove)
      const fill = async (seed: string): Promise<unknown> => query(copies('latchkey_tokens', await columnsIn(query, schema), seed, piped))
      return { store: postgresStore({ url, schema }), fill, indexed: true }
    },
  },
  'postgres without pg_trgm': {
    skip: postgres.skip,
    async open() {
      const { url, schema, query, remove } = await ownSchema(postgres.url ?? '')
      onTestFinished(remove)
      const fill = async (seed: string): Promise<void> => {
        await query('drop index latchkey_tokens_name')
        await query(copies('latchkey_tokens', await columnsIn(query, schema), seed, piped))
      }
      return { store: postgresStore({ url, schema }), fill, indexed: false }
    },
  },
  mysql: {
    skip: mysql.skip,
    async open() {
      const { url, schema, query, remove } = await ownDatabase(mysql.url ?? '')
      onTestFinished(remove)
      const joined = (parts: readonly string[]): string => `concat(${parts.join(', ')})`
      const fill = async (seed: string): Promise<unknown> => query(copies('latchkey_tokens', await columnsIn(query, schema), seed, joined))
      return { store: mysqlStore({ url }), fill, indexed: false }
    },
  },
  redis: {
    skip: redis.skip,
    async open() {
      const url = redis.url ?? ''
      const keyPrefix = newKeyPrefix()
      onTestFinished(() => withRedis(url, (client) => removeKeys(client, keyPrefix)))
      const keys = [prefixIndex(PREFIX), tenantIndex(PREFIX, 'large')].map((index) => keyPrefix + index)
      const fill = (): Promise<unknown> => withRedis(url, (client) => fillRedis(client, keys))
      return { store: redisStore({ url, keyPrefix, onWarning: () => {} }), fill, indexed: false }
    },
  },
}

/** Adds members without tokens, as if they had been removed in the meantime. */
async function fillRedis(client: Redis, keys: readonly string[]): Promise<unknown> {
  const script = `for n = 1, ${MOST_SEARCHED} do for _, key in ipairs(KEYS) do redis.call('ZADD', key, n, 'filler ' .. n) end end`
  return client.eval(script, keys.length, ...keys)
}

async function columnsIn(query: (text: string) => Promise<readonly Record<string, unknown>[]>, schema: string): Promise<readonly string[]> {
  const found = `select column_name as name from information_schema.columns where table_schema = '${schema}' and table_name = 'latchkey_tokens'`
  return (await query(found)).map(({ name }) => String(name))
}

for (const [kind, { skip, open }] of Object.entries(places)) {
  it.skipIf(skip)(`a search by name that would read more than 100,000 names is refused, on ${kind} ${skip ?? ''}`, async () => {
    const { store, fill, indexed } = await open()
    const tokens = latchkey({ prefix: PREFIX, store, scopes: { 'stock:read': 'See stock' }, logger: false })
    onTestFinished(() => tokens.close())
    const { record } = await tokens.system.create({ name: 'Needle', scopes: ['stock:read'], tenantId: 'small', ownerId: 'ada' })
    await fill(record.id)
    await expect(found(tokens, { name: 'ne' })).rejects.toThrow(indexed ? TOO_SHORT : NO_INDEX)
    if (indexed) expect(await found(tokens, { name: 'need' })).toEqual([record.id])
    else await expect(found(tokens, { name: 'need' })).rejects.toThrow(NO_INDEX)
    const narrowed = [{ tenantId: 'small' }, { ownerId: 'ada', tenantId: 'small' }, { id: record.id.slice(0, 6) }, { ids: [record.id] }]
    for (const more of narrowed) expect(await found(tokens, { name: 'ne', ...more })).toEqual([record.id])
    // Exactly as many names as are read.
    expect(await found(tokens, { name: 'ne', tenantId: 'large' })).toEqual([])
    // The tokens of a colleague in the same tenant do not count for an actor who manages only their own tokens.
    const member = tokens.as({ id: 'member', tenants: ['large'], manages: 'own', scopes: ['stock:read'] })
    const own = await member.create({ name: 'Needle 2', scopes: ['stock:read'], tenantId: 'large' })
    expect((await member.list({ name: 'ne' })).items.map(({ id }) => id)).toEqual([own.record.id])
    await expect(found(tokens, { name: 'ne', tenantId: 'large' })).rejects.toThrow(indexed ? TOO_SHORT : NO_INDEX)
    // An actor with few enough tenants can search them.
    const admin = tokens.as({ id: 'admin', tenants: ['small'], manages: 'all' })
    expect((await admin.list({ name: 'ne' })).items.map(({ id }) => id)).toEqual([record.id])
  })
}

const found = async (tokens: Latchkey, query: object): Promise<readonly string[]> =>
  (await tokens.system.list(query)).items.map(({ id }) => id)

it.skipIf(redis.skip)(`Redis finds the first characters of an ID in one step, among 100,000 tokens ${redis.skip ?? ''}`, async () => {
  const client = new Redis(redis.url ?? '')
  const keyPrefix = newKeyPrefix()
  const store = redisStore({ client, keyPrefix, onWarning: () => {} })
  onTestFinished(async () => {
    await store.close?.()
    await removeKeys(client, keyPrefix)
    client.disconnect()
  })
  const ids = ['aaaa000000000001', 'aaab000000000001', 'aaab000000000002', 'aaac000000000001']
  await store.commit({ inserts: ids.map((id) => storedToken({ id, prefix: PREFIX })), events: [] })
  await fillRedis(client, [keyPrefix + prefixIndex(PREFIX)])
  const sent = vi.spyOn(client, 'sendCommand')
  const page = await store.list({ prefix: PREFIX, idStartsWith: 'aaab', now: 0, limit: 50 })
  expect(page.map(({ id }) => id)).toEqual(['aaab000000000002', 'aaab000000000001'])
  expect(sent).toHaveBeenCalledTimes(1)
  // A removed token leaves the index.
  await store.commit({ removals: ['aaab000000000002'], events: [] })
  expect((await store.list({ prefix: PREFIX, idStartsWith: 'aaab', now: 0, limit: 50 })).map(({ id }) => id)).toEqual(['aaab000000000001'])
})
