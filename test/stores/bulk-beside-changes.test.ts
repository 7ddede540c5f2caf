import { postgresStore } from 'latchkey/stores/postgres'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { StoredToken } from '../../src/model/record.js'
import type { RevocationStamp, TokenStore } from '../../src/store/port.js'
import type { OwnPlace } from './sql/databases.js'
import { event, token } from './sql/samples.js'
import { type Connection, onPostgres, type Server, servers } from './sql/writers.js'

/** More tokens than are revoked in one step. */
const MANY = 1_100

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

  const add = async (tenantId: string, more: Partial<StoredToken> = {}): Promise<StoredToken> => {
    const added = token({ tenantId, ...more })
    expect(await store.commit({ inserts: [added], events: [event({ tokenId: added.id, tenantId })] })).toEqual({ ok: true })
    return added
  }
  /** Adds more tokens than are revoked in one step. */
  const addMany = async (tenantId: string): Promise<readonly StoredToken[]> => {
    const added = Array.from({ length: MANY }, () => token({ tenantId }))
    expect(await store.commit({ inserts: added, events: [event({ tenantId })] })).toEqual({ ok: true })
    return added
  }
  const edit = (record: StoredToken, fields: Partial<StoredToken> = { name: 'renamed' }) =>
    store.commit({
      updates: [{ expectedVersion: record.version, record: { ...record, version: record.version + 1, ...fields } }],
      events: [event({ action: 'token.updated', tokenId: record.id })],
    })
  const lock = async (connection: Connection, { id }: StoredToken): Promise<void> => {
    await connection.query('begin')
    await connection.query(`select id from latchkey_tokens where id = '${id}' for update`)
  }
  const untilWaiting = (count: number): Promise<unknown> =>
    vi.waitFor(async () => expect(Number((await place.query(server.waiting(place)))[0]?.n)).toBe(count), { timeout: 10_000, interval: 400 })
  const revoke = (tenantId = 'large', bulkId = stamp.bulkId, filter: object = { tenantIds: [tenantId] }) =>
    Promise.resolve(
      store.revokeWhere({ prefix: 'acme', ...filter }, { ...stamp, bulkId }, event({ action: 'tokens.revoked', tenantId, bulkId })),
    )
  const read = async ({ id }: StoredToken) => (await store.find([id]))[0]
  /** A large revocation that waits for the last of its tokens, and has not ended. */
  const begun = async (many: readonly StoredToken[], filter?: object) => {
    const last = many.at(-1)
    if (last === undefined) throw new Error('there are no tokens')
    await lock(holder, last)
    const state = { ended: false }
    const bulk = revoke('large', stamp.bulkId, filter).finally(() => {
      state.ended = true
    })
    await untilWaiting(1)
    return { bulk, state, last }
  }

  it('tokens of other tenants can be created, changed and revoked during a large bulk revocation', async () => {
    const other = await add('small')
    const { bulk, state } = await begun(await addMany('large'))
    expect(await edit(other)).toEqual({ ok: true })
    await add('small')
    expect(await revoke('small', 'B000000000000002')).toMatchObject({ count: 2 })
    expect(state.ended).toBe(false)
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: MANY })
  })

  it('a large bulk revocation revokes and counts tokens that were added while it ran', async () => {
    const many = await addMany('large')
    const { bulk } = await begun(many)
    const later = await add('large')
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: MANY + 1, events: [{ tenantId: 'large', count: MANY + 1 }] })
    for (const each of [...many.slice(0, 2), later])
      expect(await read(each)).toMatchObject({ version: 2, revokedAt: stamp.revokedAt, bulkId: stamp.bulkId })
  })

  it('a large bulk revocation that holds the feed reads only tokens that changed since it began', async () => {
    await addMany('large')
    const statements: string[] = []
    const watched = server.openWatched(place, statements)
    try {
      expect(
        await watched.store.revokeWhere({ prefix: 'acme', tenantIds: ['large'] }, stamp, event({ action: 'tokens.revoked' })),
      ).toMatchObject({
        count: MANY,
      })
    } finally {
      await watched.store.close?.()
      await watched.close()
    }
    const locked = statements.findIndex((text) => /^update .?latchkey_feed/.test(text.replaceAll(/"\w+"\./g, '')))
    expect(locked).toBeGreaterThan(0)
    const reads = (texts: readonly string[]) => texts.filter((text) => /from [^ ]*latchkey_tokens/.test(text))
    expect(reads(statements.slice(0, locked)).length).toBeGreaterThan(0)
    expect(reads(statements.slice(locked)).filter((text) => !/.id. in \(/.test(text))).toEqual([])
  })

  it('a large bulk revocation that holds the feed looks at all tokens again if the feed was cut in the meantime', async () => {
    const { bulk } = await begun(await addMany('large'))
    const later = await add('large')
    const { cursor } = await store.changes(undefined, 1)
    expect(await store.commit({ cutsFeed: cursor, events: [] })).toEqual({ ok: true })
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: MANY + 1 })
    expect(await read(later)).toMatchObject({ bulkId: stamp.bulkId })
  })

  it('if many tokens were added while it ran, a large bulk revocation revokes them before it locks the feed', async () => {
    const { bulk } = await begun(await addMany('large'))
    const later = await addMany('large')
    await add('small')
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: 2 * MANY })
    expect(await read(later[700] as StoredToken)).toMatchObject({ bulkId: stamp.bulkId })
  })

  it('a large bulk revocation neither undoes nor counts a revocation that finished first', async () => {
    const { bulk, last } = await begun(await addMany('large'))
    await holder.query(`update latchkey_tokens set revoked_at = 1, revoked_by = 'owner', version = 2 where id = '${last.id}'`)
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: MANY - 1 })
    expect(await read(last)).toMatchObject({ revokedAt: 1, revokedBy: 'owner', version: 2 })
  })

  it('a large bulk revocation spares a token that stopped matching while the revocation waited', async () => {
    const { bulk, last } = await begun(await addMany('large'), { createdBy: 'system' })
    await holder.query(`update latchkey_tokens set created_by = 'erased', version = 2 where id = '${last.id}'`)
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: MANY - 1 })
    const kept = await read(last)
    expect(kept).toMatchObject({ createdBy: 'erased', version: 2 })
    expect(kept?.revokedAt).toBeUndefined()
  })

  it('a large bulk revocation that loses a deadlock does not delay changes to other tokens', async () => {
    const [many, other] = [await addMany('large'), await add('small')]
    const { bulk } = await begun(many)
    const [first] = many
    // If the server aborts the revocation, the revocation starts over. If it aborts the other transaction, that transaction loses its locks.
    const crossed = holder.query(`select id from latchkey_tokens where id = '${first?.id}' for update`)
    await crossed.catch(() => undefined)
    expect(await edit(other)).toEqual({ ok: true })
    await add('small')
    await holder.query('rollback')
    expect(await bulk).toMatchObject({ count: MANY })
  })

  it('members of a tenant who keep creating and changing tokens do not stop its large revocation', async () => {
    await addMany('large')
    const elsewhere = server.open(place)
    const state = { ended: false, made: 0 }
    const member = async (): Promise<void> => {
      while (!state.ended) {
        const own = token({ tenantId: 'large' })
        expect(await elsewhere.commit({ inserts: [own], events: [event()] })).toEqual({ ok: true })
        state.made += 1
        const renamed = { ...own, version: 2, name: 'renamed' }
        const answer = await elsewhere.commit({ updates: [{ expectedVersion: 1, record: renamed }], events: [event()] })
        expect([{ ok: true }, { ok: false, conflict: own.id }]).toContainEqual(answer)
      }
    }
    try {
      const members = Promise.all(Array.from({ length: 4 }, member))
      await vi.waitFor(() => expect(state.made).toBeGreaterThan(4), { timeout: 20_000 })
      const { count } = await revoke().finally(() => {
        state.ended = true
      })
      await members
      expect(count).toBeGreaterThan(MANY)
    } finally {
      await elsewhere.close?.()
    }
  })

  it('two large revocations of the same tokens revoke each token once', async () => {
    await addMany('large')
    const elsewhere = server.open(place)
    try {
      const [one, two] = await Promise.all([
        revoke(),
        elsewhere.revokeWhere({ prefix: 'acme' }, { ...stamp, bulkId: 'B000000000000002' }, event({ bulkId: 'B000000000000002' })),
      ])
      expect(one.count + two.count).toBe(MANY)
    } finally {
      await elsewhere.close?.()
    }
  })

  it('a small bulk revocation that waits for a locked token does not block changes to other tokens', async () => {
    const [held, other] = [await add('large'), await add('large')]
    await lock(holder, held)
    const bulk = revoke()
    expect(await edit(other)).toEqual({ ok: true })
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: 2 })
  })

  it('changes that wait for a locked token block no other changes, however many are waiting', async () => {
    const [held, other] = [await add('large'), await add('large')]
    await lock(holder, held)
    // More changes than there are connections.
    const waiting = Promise.all(Array.from({ length: 24 }, () => edit(held)))
    for (let round = 0; round < 3; round += 1) expect(await edit(other, { name: `round ${round}` })).toMatchObject({ ok: round === 0 })
    await holder.query('commit')
    const outcomes = (await waiting).map(({ ok }) => ok)
    expect(outcomes.filter((ok) => ok)).toHaveLength(1)
  })

  it('a small table is changed without waiting for rows that another transaction has just inserted', async () => {
    const tokens = await Promise.all(Array.from({ length: 150 }, () => add('small')))
    const unplaced = Array.from({ length: 12 }, (_, at) => `('O${at}', 1, 'x', 'acme', 'host')`)
    await holder.query(`insert into latchkey_outbox (id, at, action, prefix, actor_id) values ${unplaced}`)
    await holder.query('begin')
    const [row = {}] = await place.query(`select * from latchkey_tokens where id = '${tokens[0]?.id}'`)
    const copy = Object.entries({ ...row, id: 'T9' }).filter(([column]) => column !== 'state')
    const literals = copy.map(([, value]) => (value === null ? 'null' : `'${String(value)}'`))
    await holder.query(`insert into latchkey_tokens (${copy.map(([column]) => column)}) values (${literals})`)
    await holder.query("insert into latchkey_outbox (id, at, action, prefix, actor_id) values ('O99', 1, 'x', 'acme', 'host')")
    expect(await store.placeEvents?.('acme')).toHaveLength(12)
    expect(await revoke('small')).toMatchObject({ count: 150 })
    const removals = tokens.map(({ id }) => id)
    expect(await store.commit({ removals, events: [event()] })).toEqual({ ok: true })
  })

  it('tickets of a token neither wait for its bulk revocation nor delay it', async () => {
    const { bulk, last } = await begun(await addMany('large'))
    const room = { max: 10, now: 0, forgetBefore: 0 }
    const save = (digest: string) => store.saveTicket({ prefix: 'acme', digest, tokenId: last.id, expiresAt: 9_000_000_000_000 }, room)
    expect(await Promise.all(['a', 'b', 'c'].map((each) => save(each.repeat(64))))).toEqual([true, true, true])
    await holder.query('commit')
    expect(await bulk).toMatchObject({ count: MANY })
  })

  it('a change that waits for the feed holds no lock on a token', async () => {
    const one = await add('large')
    const elsewhere = await server.connect(place)
    try {
      await holder.query('begin')
      await holder.query('update latchkey_feed set head = head where id = 1')
      const change = Promise.resolve(edit(one))
      await untilWaiting(1)
      await elsewhere.query('begin')
      await elsewhere.query(`select id from latchkey_tokens where id = '${one.id}' for update nowait`)
      await elsewhere.query('rollback')
      await holder.query('commit')
      expect(await change).toEqual({ ok: true })
    } finally {
      await elsewhere.end()
    }
  })

  it('without the lock rows of the feed table, large bulk revocations and tickets are refused instead of running unguarded', async () => {
    const [many, other] = [await addMany('large'), await add('small')]
    await place.query('delete from latchkey_feed where id > 1')
    await expect(revoke()).rejects.toThrow(
      'row 2 of the feed table is missing: run the statements that `npx latchkey migrate --print` prints',
    )
    expect(await read(many[0] ?? other)).toMatchObject({ version: 1 })
    const ticket = { prefix: 'acme', digest: 'd1', tokenId: other.id, expiresAt: stamp.revokedAt }
    const saved = Promise.resolve(store.saveTicket(ticket, { max: 5, now: 0, forgetBefore: 0 }))
    await expect(saved).rejects.toThrow('of the feed table is missing')
    // Changes need no such row.
    expect(await edit(other)).toEqual({ ok: true })
  })
}

describe.skipIf(onPostgres.skip)(`references to tokens on Postgres ${onPostgres.skip ?? ''}`, () => {
  it("rows of the host's tables that refer to a token do not delay its changes or its revocation", async () => {
    const place = await onPostgres.place()
    const store = postgresStore({ url: place.url, schema: place.schema })
    const host = new Client({ connectionString: place.url, options: `-c search_path=${place.schema}` })
    try {
      await store.migrate?.()
      await host.connect()
      const one = token({ tenantId: 'a' })
      await store.commit({ inserts: [one], events: [event()] })
      await host.query('create table orders (token_id text references latchkey_tokens (id))')
      await host.query('begin')
      await host.query(`insert into orders values ('${one.id}')`)
      const renamed = { ...one, version: 2, name: 'renamed' }
      expect(await store.commit({ updates: [{ expectedVersion: 1, record: renamed }], events: [event()] })).toEqual({ ok: true })
      expect(await store.revokeWhere({ prefix: 'acme', tenantIds: ['a'] }, stamp, event())).toMatchObject({ count: 1 })
      await host.query('commit')
    } finally {
      await host.end()
      await store.close?.()
      await place.remove()
    }
  })
})

for (const server of servers)
  describe.skipIf(server.skip)(`a bulk revocation on ${server.name} ${server.skip ?? ''}`, () => bulkTests(server))
