import { latchkey } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'
import Database from 'libsql'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StoredToken } from '../../src/model/record.js'
import type { TokenStore } from '../../src/store/port.js'
import { SCOPES, until } from '../latchkey/harness.js'
import type { OwnPlace } from './sql/databases.js'
import { event, token } from './sql/samples.js'
import { type Connection, type Server, servers } from './sql/writers.js'

const dead = (): StoredToken => token({ revokedAt: 1, revokedBy: 'ann', revokedCode: 'manual' })

const referenceTests = (server: Server): void => {
  let place: OwnPlace
  let store: TokenStore
  let host: Connection

  beforeEach(async () => {
    place = await server.place()
    store = server.open(place)
    await store.migrate?.()
    host = await server.connect(place)
  })

  afterEach(async () => {
    await host.query('rollback')
    await host.end()
    await store.close?.()
    await place.remove()
  })

  /** Adds a dead token, and a row of the host that refers to it. */
  const referenced = async (onDelete = ''): Promise<StoredToken> => {
    const [column] = await place.query(
      server.name === 'Postgres'
        ? 'select \'text collate "C"\' as type'
        : `select concat(column_type, ' character set ', character_set_name, ' collate ', collation_name) as type
            from information_schema.columns where table_schema = '${place.schema}' and table_name = 'latchkey_tokens' and column_name = 'id'`,
    )
    await place.query(`create table customers (n int primary key, token_id ${column?.type},
      foreign key (token_id) references latchkey_tokens (id) ${onDelete})`)
    const old = dead()
    await store.commit({ inserts: [old], events: [event()] })
    await place.query(`insert into customers values (1, '${old.id}')`)
    return old
  }
  const remove = (...tokens: readonly StoredToken[]) =>
    Promise.resolve(store.commit({ removals: tokens.map(({ id }) => id), events: [event({ action: 'token.pruned' })] }))
  const references = [
    ['without an action', ''],
    ['that deletes the row', 'on delete cascade'],
    ['that clears the column', 'on delete set null'],
    ...(server.name === 'Postgres' ? ([['that is checked at the end', 'deferrable initially deferred']] as const) : []),
  ] as const

  it.each(references)('removing a token to which a locked row of the host refers %s holds up no other change', async (_, onDelete) => {
    const old = await referenced(onDelete)
    const live = token()
    await store.commit({ inserts: [live], events: [event()] })
    await host.query('begin')
    await host.query('delete from customers where n = 1')
    const removal = { ended: false }
    const removed = remove(old).finally(() => {
      removal.ended = true
    })
    for (let version = 1; version <= 3; version += 1) {
      const record = { ...live, version: version + 1, name: `name ${version}` }
      expect(await store.commit({ updates: [{ expectedVersion: version, record }], events: [event()] })).toEqual({ ok: true })
    }
    expect(removal.ended).toBe(false)
    await host.query('commit')
    expect(await removed).toEqual({ ok: true })
    expect(await store.find([old.id])).toEqual([])
  })

  it('removing a token to which a row of the host refers is a conflict, and removes nothing', async () => {
    const [held, other] = [await referenced(), dead()]
    await store.commit({ inserts: [other], events: [event()] })
    expect(await remove(other, held)).toMatchObject({ ok: false, conflict: expect.any(String) })
    expect(await store.find([held.id, other.id])).toHaveLength(2)
    expect(await remove(other)).toEqual({ ok: true })
  })
}

for (const server of servers) {
  describe.skipIf(server.skip)(`tokens to which rows of the host refer, on ${server.name} ${server.skip ?? ''}`, () =>
    referenceTests(server),
  )
}

describe('tokens to which rows of the host refer, on SQLite', () => {
  it.each(['', 'on delete restrict', 'deferrable initially deferred'])(
    'prune() removes all other tokens, and reports the one that it cannot remove, with a foreign key %s',
    async (onDelete) => {
      const database = new Database(':memory:')
      database.pragma('foreign_keys = on')
      const failures: unknown[] = []
      const store = sqliteStore({ database })
      const tokens = latchkey({
        prefix: 'acme_test',
        store,
        scopes: SCOPES,
        logger: false,
        onError: ({ where, error }) => failures.push([where, error.message]),
      })
      const ids: string[] = []
      for (let n = 0; n < 30; n += 1) ids.push((await tokens.system.create({ name: `n ${n}`, scopes: ['stock:read'] })).record.id)
      database.exec(`create table customers (token_id text references latchkey_tokens (id) ${onDelete})`)
      database.prepare('insert into customers values (?)').run([ids[17]])
      await tokens.system.revokeAll({ all: true })
      const revokedAt = Date.now()
      await until(() => Date.now() > revokedAt)
      expect(await tokens.system.prune({ before: new Date() })).toEqual({ count: 29 })
      expect((await tokens.system.list()).items.map(({ id }) => id)).toEqual([ids[17]])
      const pruned = (await tokens.system.events({ action: 'token.pruned', limit: 100 })).items.map(({ tokenId }) => tokenId)
      expect(new Set(pruned)).toEqual(new Set(ids.filter((id) => id !== ids[17])))
      expect(pruned).toHaveLength(29)
      expect(failures).toEqual([['retention', expect.stringContaining(`token ${ids[17]} cannot be removed`)]])
      await tokens.close()
      database.close()
    },
  )
})
