import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { StoredToken } from '../../src/model/record.js'
import type { RevocationStamp, TokenStore } from '../../src/store/port.js'
import { service } from '../support/services.js'
import { type OwnPlace, ownDatabase, ownSchema } from './sql/databases.js'
import { event, token } from './sql/samples.js'

type Connection = { query(text: string): Promise<unknown>; end(): Promise<void> }

type Server = {
  readonly name: string
  readonly skip: string | undefined
  place(): Promise<OwnPlace>
  open(place: OwnPlace): TokenStore
  connect(place: OwnPlace): Promise<Connection>
  /** Counts the transactions that wait for a lock of another one. MariaDB's answer stays the same if it is asked more than ten times a second. */
  readonly waiting: (place: OwnPlace) => string
}

const [postgres, mysql] = await Promise.all([service('postgres'), service('mysql')])

const servers: readonly Server[] = [
  {
    name: 'Postgres',
    skip: postgres.skip,
    place: () => ownSchema(postgres.url ?? ''),
    open: ({ url, schema }) => postgresStore({ url, schema }),
    async connect({ url, schema }) {
      const client = new Client({ connectionString: url, options: `-c search_path=${schema}` })
      await client.connect()
      return client
    },
    waiting: ({ schema }) =>
      `select count(distinct pid) as n from pg_locks join pg_class on pg_class.oid = relation
      join pg_namespace on pg_namespace.oid = relnamespace where nspname = '${schema}'
      and pid in (select pid from pg_stat_activity where wait_event_type = 'Lock')`,
  },
  {
    name: 'MySQL',
    skip: mysql.skip,
    place: () => ownDatabase(mysql.url ?? ''),
    open: ({ url }) => mysqlStore({ url }),
    async connect({ url }) {
      const connection = await createConnection({ uri: url })
      return { query: async (text) => await connection.query(text), end: () => connection.end() }
    },
    waiting: ({ schema }) =>
      `select count(*) as n from information_schema.innodb_trx join information_schema.processlist on id = trx_mysql_thread_id
      where db = '${schema}' and trx_state = 'LOCK WAIT'`,
  },
]

const stamp: RevocationStamp = { revokedAt: 1_800_000_000_000, revokedBy: 'admin', revokedCode: 'bulk', bulkId: 'B000000000000001' }

const bulkTests = (server: Server): void => {
  let place: OwnPlace
  let store: TokenStore
  let holder: Connection

  beforeEach(async () => {
    place = await server.place()
    store = server.open(place)
    await store.migrate?.()
    holder = await server.connect(place)
  })

  afterEach(async () => {
    await holder.query('rollback')
    await holder.end()
    await store.close?.()
    await place.remove()
  })

  const add = async (tenantId: string): Promise<StoredToken> => {
    const added = token({ tenantId })
    expect(await store.commit({ inserts: [added], events: [event({ tokenId: added.id, tenantId })] })).toEqual({ ok: true })
    return added
  }
  const rename = (record: StoredToken) =>
    store.commit({
      updates: [{ expectedVersion: record.version, record: { ...record, version: record.version + 1, name: 'renamed' } }],
      events: [event({ action: 'token.updated', tokenId: record.id })],
    })
  const lock = async (connection: Connection, { id }: StoredToken): Promise<void> => {
    await connection.query('begin')
    await connection.query(`select id from latchkey_tokens where id = '${id}' for update`)
  }
  const untilWaiting = (count: number): Promise<unknown> =>
    vi.waitFor(async () => expect(Number((await place.query(server.waiting(place)))[0]?.n)).toBe(count), { timeout: 10_000, interval: 150 })
  const revoke = () =>
    store.revokeWhere(
      { prefix: 'acme', tenantIds: ['large'] },
      stamp,
      event({ action: 'tokens.revoked', tenantId: 'large', bulkId: stamp.bulkId }),
    )
  const read = async ({ id }: StoredToken) => (await store.find([id]))[0]

  it('tokens of other tenants can be created, changed and revoked during a bulk revocation', async () => {
    const [slow, other] = [await add('large'), await add('small')]
    await lock(holder, slow)
    let ended = false
    const bulk = Promise.resolve(revoke()).finally(() => {
      ended = true
    })
    await untilWaiting(1)
    expect(await rename(other)).toEqual({ ok: true })
    await add('small')
    expect(
      await store.revokeWhere({ prefix: 'acme', tenantIds: ['small'] }, { ...stamp, bulkId: 'B000000000000002' }, event()),
    ).toMatchObject({ count: 2 })
    expect(ended).toBe(false)
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: 1 })
  })

  it('a bulk revocation revokes and counts tokens that were added while it ran', async () => {
    const [slow, earlier] = [await add('large'), await add('large')]
    await lock(holder, slow)
    const bulk = revoke()
    await untilWaiting(1)
    const later = await add('large')
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: 3, events: [{ tenantId: 'large', count: 3 }] })
    for (const each of [slow, earlier, later])
      expect(await read(each)).toMatchObject({ version: 2, revokedAt: stamp.revokedAt, bulkId: stamp.bulkId })
  })

  it('a bulk revocation neither undoes nor counts a revocation that finished first', async () => {
    const [slow, already] = [await add('large'), await add('large')]
    await lock(holder, slow)
    await holder.query(`update latchkey_tokens set revoked_at = 1, revoked_by = 'owner', version = 2 where id = '${slow.id}'`)
    const bulk = revoke()
    await untilWaiting(1)
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: 1 })
    expect(await read(slow)).toMatchObject({ revokedAt: 1, revokedBy: 'owner', version: 2 })
    expect(await read(already)).toMatchObject({ revokedAt: stamp.revokedAt })
  })

  it('a bulk revocation revokes all tokens, even if it deadlocks with a change to one that was just added', async () => {
    const slow = await add('large')
    const other = await server.connect(place)
    try {
      await lock(holder, slow)
      const bulk = Promise.resolve(revoke())
      await untilWaiting(1)
      const later = await add('large')
      await lock(other, later)
      await holder.query('commit')
      await untilWaiting(1)
      // Locks as a change does: first its token, then the feed.
      const [change, revoked] = await Promise.all([
        other
          .query('update latchkey_feed set head = head where id = 1')
          .then(() => other.query('commit'))
          .then(
            () => 'changed',
            () => other.query('rollback'),
          ),
        bulk,
      ])
      expect(revoked).toMatchObject({ count: 2 })
      expect(change).toBeDefined()
      for (const each of [slow, later]) expect(await read(each)).toMatchObject({ revokedAt: stamp.revokedAt })
    } finally {
      await other.end()
    }
  })

  it('a change that waits for a locked token does not block changes to other tokens', async () => {
    const [held, other] = [await add('large'), await add('large')]
    await lock(holder, held)
    const waiting = Promise.resolve(rename(held))
    await untilWaiting(1)
    expect(await rename(other)).toEqual({ ok: true })
    await holder.query('commit')
    expect(await waiting).toEqual({ ok: true })
  })
}

for (const server of servers)
  describe.skipIf(server.skip)(`a bulk revocation on ${server.name} ${server.skip ?? ''}`, () => bulkTests(server))
