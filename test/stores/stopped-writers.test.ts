import { latchkey } from 'latchkey'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { Pool } from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { service } from '../support/services.js'
import { ownDatabase, ownSchema } from './sql/databases.js'
import { proxyBefore } from './sql/proxy.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const LONG = { timeout: 120_000 }

/** A node that freezes in the middle of a change must not block the changes of other nodes. */
const proveOthersGoOn = async (url: string, port: number, open: (url: string) => TokenStore): Promise<void> => {
  const node = (store: TokenStore) => {
    const tokens = latchkey({ prefix: 'acme_test', store, scopes: { 'inventory:read': 'See stock' }, logger: false })
    cleanups.push(() => tokens.close())
    return tokens
  }
  const proxy = await proxyBefore(url, port)
  const stopped = node(open(proxy.url))
  cleanups.push(() => proxy.close())
  const other = node(open(url))
  const {
    record: { id },
  } = await stopped.system.create({ name: 'ERP', scopes: ['inventory:read'] })
  proxy.stopWithin(['latchkey_feed', 'commit'])
  const lost = stopped.system.revoke(id).catch((error) => error.code)
  await expect.poll(() => proxy.hasStopped()).toBe(true)
  const created = () => other.system.create({ name: 'Shop', scopes: [] }).then(() => 'created', String)
  await expect.poll(created, { timeout: 30_000 }).toBe('created')
  // The uncommitted change did not happen.
  expect(await other.system.get(id)).toMatchObject({ status: 'active' })
  expect(await lost).toBe('store_unavailable')
}

const postgres = await service('postgres')
describe.skipIf(postgres.skip)(`a Postgres node that freezes inside a transaction ${postgres.skip ?? ''}`, () => {
  it.each(['url', 'pool'])(
    'delays the changes of other nodes by only a few seconds if a Postgres node freezes (%s)',
    LONG,
    async (kind) => {
      const { url, schema, remove } = await ownSchema(postgres.url ?? '')
      cleanups.push(remove)
      await proveOthersGoOn(url, 5432, (through) => {
        if (kind === 'url') return postgresStore({ url: through, schema })
        const pool = new Pool({ connectionString: through })
        pool.on('error', () => {})
        cleanups.push(() => pool.end())
        return postgresStore({ pool, schema })
      })
    },
  )
})

const mysql = await service('mysql')
describe.skipIf(mysql.skip)(`a MySQL node that freezes inside a transaction ${mysql.skip ?? ''}`, () => {
  it('delays the changes of other nodes by only a few seconds if a MySQL node freezes', LONG, async () => {
    const { url, remove } = await ownDatabase(mysql.url ?? '')
    cleanups.push(remove)
    await proveOthersGoOn(url, 3306, (through) => mysqlStore({ url: through }))
  })
})
