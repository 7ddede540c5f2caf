import { sqliteStore } from 'latchkey/stores/sqlite'
import { interceptStore } from 'latchkey/testing'
import Database from 'libsql'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { instance, until, verdict } from '../latchkey/harness.js'

let database: InstanceType<typeof Database>
beforeEach(() => {
  database = new Database(':memory:')
})
afterEach(() => database.close())

/** An instance over a database of the host, and the number of times that it read records. */
function start() {
  let finds = 0
  const store = interceptStore(sqliteStore({ database: database as never }), ({ method }, proceed) => {
    if (method === 'find') finds += 1
    return proceed()
  })
  const tokens = instance({ store, usage: false, cache: { maxStaleness: 60 } })
  const create = (idempotencyKey: string) =>
    tokens.system.create({ name: 'ERP', scopes: ['stock:read'], idempotencyKey }, { transaction: database })
  /** Returns whether verifications of this token are answered from the cache. */
  const isCached = async (token: string): Promise<boolean> => {
    await verdict(tokens.verify(token))
    const before = finds
    for (let use = 0; use < 3; use += 1) await verdict(tokens.verify(token))
    return finds === before
  }
  return { tokens, create, isCached }
}

describe('a token that is created in a transaction', () => {
  it('a token created in a transaction is cached again after its idempotency key was repeated in another transaction', async () => {
    const { tokens, create, isCached } = start()
    await tokens.system.create({ name: 'first', scopes: ['stock:read'] })
    database.exec('begin immediate')
    const made = await create('order-1')
    database.exec('commit')
    const token = made.token ?? ''
    await until(() => isCached(token))
    database.exec('begin immediate')
    expect(await create('order-1')).toMatchObject({ replayed: true })
    database.exec('commit')
    await until(() => isCached(token))
    expect(await verdict(tokens.verify(token))).toBe('ok')
  })

  it('a token created in a transaction is not cached before the commit if its key is repeated in the same transaction', async () => {
    const { tokens, create, isCached } = start()
    await tokens.system.create({ name: 'first', scopes: ['stock:read'] })
    database.exec('begin immediate')
    const made = await create('order-1')
    const token = made.token ?? ''
    expect(await create('order-1')).toMatchObject({ replayed: true })
    expect(await isCached(token)).toBe(false)
    database.exec('rollback')
    expect(await verdict(tokens.verify(token))).toBe('token_unknown')
  })
})
