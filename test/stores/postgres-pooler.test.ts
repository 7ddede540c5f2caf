import { type FaultReport, latchkey } from 'latchkey'
import { postgresStore } from 'latchkey/stores/postgres'
import { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createPgBouncer, type PgBouncer, pgBouncerMissing } from '../support/pgbouncer.js'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { event, token } from './sql/samples.js'

const postgres = await service('postgres')
const skip = postgres.skip ?? pgBouncerMissing()

describe.skipIf(skip)(`nodes behind PgBouncer in transaction mode ${skip ?? ''}`, () => {
  let place: OwnPlace
  let pooler: PgBouncer
  const cleanups: (() => unknown)[] = []

  beforeAll(async () => {
    place = await ownSchema(postgres.url ?? '')
    pooler = await createPgBouncer(place.url, 4)
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(async () => {
    await pooler?.dispose()
    await place?.remove()
  })

  const node = (url: string = pooler.url) => {
    const faults: FaultReport[] = []
    const store = postgresStore({ url, schema: place.schema })
    const tokens = latchkey({
      prefix: 'acme_test',
      store,
      scopes: { 'stock:read': 'See stock' },
      cache: { maxStaleness: '1s' },
      deadline: '20s',
      onError: (fault) => faults.push(fault),
      logger: false,
    })
    cleanups.push(async () => {
      await tokens.close()
      await store.close()
    })
    return { tokens, faults, wakeUps: async (): Promise<unknown> => (await tokens.health()).feed.wakeUps }
  }

  it('sets up the tables under the advisory lock when ten nodes start at the same time behind PgBouncer', async () => {
    const nodes = Array.from({ length: 10 }, () => node())
    const minted = await Promise.all(nodes.map(({ tokens }, at) => tokens.system.create({ name: `n${at}`, scopes: ['stock:read'] })))
    for (const { tokens } of nodes) {
      const verified = await Promise.all(minted.map(({ token }) => tokens.verify(token)))
      expect(verified.map(({ ok }) => ok)).toEqual(minted.map(() => true))
    }
  })

  it('propagates updates, rotations and revocations to every node by polling behind PgBouncer', async () => {
    const [here, there] = [node(), node()]
    const first = await here.tokens.system.create({ name: 'ERP', scopes: ['stock:read'] })
    const code = async (text: string): Promise<string> => {
      const verified = await there.tokens.verify(text)
      return verified.ok ? 'ok' : verified.code
    }
    expect(await code(first.token)).toBe('ok')
    await here.tokens.system.deactivate(first.record.id)
    await expect.poll(() => code(first.token)).toBe('token_inactive')
    await here.tokens.system.activate(first.record.id)
    await expect.poll(() => code(first.token)).toBe('ok')
    await here.tokens.system.update(first.record.id, { name: 'ERP 2' })
    const second = await here.tokens.system.rotate(first.record.id)
    await expect.poll(() => code(first.token)).toBe('token_revoked')
    expect(await code(second.token)).toBe('ok')
    await here.tokens.system.revoke(second.record.id, { reason: 'laptop lost' })
    await expect.poll(() => code(second.token)).toBe('token_revoked')
    const { items } = await there.tokens.system.events({ tokenId: first.record.id })
    const changes = items.map(({ action }) => action).filter((action) => action !== 'token.refused' && action !== 'token.reused')
    expect(changes.reverse()).toEqual(['token.created', 'token.deactivated', 'token.activated', 'token.updated', 'token.rotated'])
  })

  it('counts uses once and delivers every event in order behind PgBouncer', async () => {
    const { tokens } = node()
    const heard: string[] = []
    const consumer = tokens.system.consume('audit', async ({ id }) => void heard.push(id))
    cleanups.push(() => consumer.stop())
    const minted = await Promise.all(Array.from({ length: 5 }, () => tokens.system.create({ name: 'job', scopes: ['stock:read'] })))
    await Promise.all(minted.flatMap(({ token }) => Array.from({ length: 8 }, () => tokens.verify(token))))
    await tokens.flush()
    const uses = await Promise.all(minted.map(async ({ record }) => (await tokens.system.usage(record.id)).total))
    expect(uses).toEqual([8, 8, 8, 8, 8])
    const { items } = await tokens.system.events({ limit: 100 })
    const expected = items.map(({ id }) => id).reverse()
    await expect.poll(() => heard.slice(-expected.length)).toEqual(expected)
  })

  it('answers one hundred concurrent misses over four server connections of PgBouncer', async () => {
    const { tokens } = node()
    const minted = await Promise.all(Array.from({ length: 100 }, () => tokens.system.create({ name: 'many', scopes: ['stock:read'] })))
    const { tokens: cold } = node()
    const verified = await Promise.all(minted.map(({ token }) => cold.verify(token)))
    expect(verified.filter(({ ok }) => ok)).toHaveLength(100)
  })

  it("makes a token visible only once the host's transaction commits, behind PgBouncer", async () => {
    const { tokens } = node()
    const pool = new Pool({ connectionString: pooler.url })
    cleanups.push(() => pool.end())
    const client = await pool.connect()
    await client.query('begin')
    const kept = await tokens.system.create({ name: 'order', scopes: ['stock:read'] }, { transaction: client })
    const { tokens: other } = node()
    expect((await other.verify(kept.token)).ok).toBe(false)
    await client.query('commit')
    await expect.poll(async () => (await other.verify(kept.token)).ok).toBe(true)
    await client.query('begin')
    const lost = await tokens.system.create({ name: 'order', scopes: ['stock:read'] }, { transaction: client })
    await client.query('rollback')
    client.release()
    expect((await other.verify(lost.token)).ok).toBe(false)
  })

  it('reports missing wake-ups once, shows them in health(), and delays nothing else', async () => {
    const { tokens, faults, wakeUps } = node()
    const { token: text } = await tokens.system.create({ name: 'ERP', scopes: ['stock:read'] })
    expect((await tokens.verify(text)).ok).toBe(true)
    await expect.poll(wakeUps).toBe('lost')
    expect(faults.map(({ where, error }) => [where, `${error}`])).toEqual([
      ['store.subscribe', expect.stringContaining('notifications do not arrive')],
    ])
    expect(await tokens.health()).toMatchObject({ ok: true, feed: { ok: true } })
  })

  it('receives wake-ups through a Postgres pooler in session mode', async () => {
    const session = await createPgBouncer(place.url, 20, 'session')
    cleanups.push(() => session.dispose())
    const { tokens, faults, wakeUps } = node(session.url)
    const { token: text } = await tokens.system.create({ name: 'ERP', scopes: ['stock:read'] })
    expect((await tokens.verify(text)).ok).toBe(true)
    await expect.poll(wakeUps).toBe('ok')
    expect(faults).toEqual([])
  })

  it('wakes a node that has a direct connection when a change goes through PgBouncer', async () => {
    const direct = node(place.url)
    const { token: text } = await direct.tokens.system.create({ name: 'ERP', scopes: ['stock:read'] })
    expect((await direct.tokens.verify(text)).ok).toBe(true)
    await expect.poll(direct.wakeUps).toBe('ok')
    const store = postgresStore({ url: place.url, schema: place.schema })
    let wakes = 0
    const stop = await store.subscribe?.(() => {
      wakes += 1
    })
    await expect.poll(() => wakes).toBeGreaterThan(0)
    const before = wakes
    const behind = postgresStore({ url: pooler.url, schema: place.schema })
    await behind.commit({ inserts: [token()], events: [event()] })
    await expect.poll(() => wakes).toBeGreaterThan(before)
    await stop?.()
    await Promise.all([store.close(), behind.close()])
  })
})
