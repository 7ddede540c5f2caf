import { latchkey } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { ownFolder } from './sql/databases.js'
import { event, token } from './sql/samples.js'
import { availableDrivers } from './sql/sqlite-drivers.js'

const folder = await ownFolder()
afterAll(() => folder.remove())
let files = 0

const HELD = {
  code: 'store_unavailable',
  message: expect.stringMatching(/a transaction that your code began .* was open for more than 5 ms: end it before/),
}

describe.each(await availableDrivers())('a %s database while its host has a transaction open', async (driver) => {
  const Database = await findDriver(driver)
  const open: { close(): unknown }[] = []
  afterEach(() => {
    for (const handle of open.splice(0)) handle.close()
  })

  const openHandle = (path: string) => {
    const database = new Database(path)
    open.push(database)
    return database
  }
  const nextPath = (): string => {
    files += 1
    return folder.path(`${files}.db`)
  }
  /** Hides the driver's transaction state, which Node did not report before 22.16. */
  const silent = (database: InstanceType<typeof Database>) =>
    new Proxy(database, {
      get(target, key) {
        if (key === 'isTransaction' || key === 'inTransaction') return undefined
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })

  describe.each([
    ['with a driver that reports transactions', (database: InstanceType<typeof Database>) => database],
    ['with a driver that does not report transactions', silent],
  ])('%s', (_, given) => {
    /** A store on a handle of the host, and a store of another process. */
    const pair = async (busyTimeout: number) => {
      const path = nextPath()
      const database = openHandle(path)
      database.exec('pragma journal_mode = wal')
      const here = sqliteStore({ database: given(database), busyTimeout })
      const there = sqliteStore({ path, driver })
      open.push({ close: () => there.close() })
      await here.migrate()
      const known = token()
      await there.commit({ inserts: [known], events: [event()] })
      const revoked = { ...known, version: 2, revokedAt: 1 }
      const revoke = () => there.commit({ updates: [{ expectedVersion: 1, record: revoked }], events: [event()] })
      const beginReading = () => {
        database.exec('begin')
        database.prepare('select count(*) from latchkey_tokens').all([] as never)
      }
      return { database, here, known, revoked, revoke, beginReading }
    }

    it("waits for the host's transaction to end instead of reading outdated records or feed pages", async () => {
      const { database, here, known, revoked, revoke, beginReading } = await pair(30)
      const { cursor } = await here.changes(undefined, 1)
      beginReading()
      await revoke()
      const found = here.find([known.id])
      const page = here.changes(cursor, 10)
      const listed = here.list({ prefix: known.prefix, now: 0, limit: 10 })
      database.exec('commit')
      expect(await found).toMatchObject([{ version: 2, revokedAt: revoked.revokedAt }])
      expect(await page).toMatchObject({ ids: [known.id] })
      expect(await listed).toMatchObject([{ version: 2 }])
    })

    it("returns no data if the host's transaction does not end", async () => {
      const { database, here, known, revoke, beginReading } = await pair(0.005)
      beginReading()
      await revoke()
      for (const read of [() => here.find([known.id]), () => here.changes(undefined, 1), () => here.events({ prefix: 'acme', limit: 1 })]) {
        await expect(async () => read()).rejects.toMatchObject(HELD)
      }
      await expect(async () => here.commit({ events: [event()] })).rejects.toMatchObject(HELD)
      database.exec('rollback')
      expect(await here.find([known.id])).toMatchObject([{ version: 2 }])
    })

    it('creates tokens with an idempotency key in a transaction on its own handle, and finds them there again', async () => {
      const { database, here } = await pair(0.5)
      const tokens = latchkey({ prefix: 'acme', scopes: { 'stock:read': '' }, store: here, logger: false })
      database.exec('begin immediate')
      const input = { name: 'ERP', scopes: ['stock:read'], idempotencyKey: 'k' } as const
      const { record } = await tokens.system.create(input, { transaction: database })
      expect(await tokens.system.create(input, { transaction: database })).toMatchObject({ replayed: true, record: { id: record.id } })
      database.exec('commit')
      await tokens.close()
    })

    it('does not return a row that the host has not committed', async () => {
      const { database, here } = await pair(0.005)
      const added = token()
      database.exec('begin')
      expect(await here.commitIn?.(database, { inserts: [added], events: [event()] })).toEqual({ ok: true })
      await expect(async () => here.find([added.id])).rejects.toMatchObject(HELD)
      database.exec('rollback')
      expect(await here.find([added.id])).toEqual([])
    })
  })

  it("accepts no token that was revoked elsewhere while the host's transaction is open, and reports it", async () => {
    const path = nextPath()
    const options = { prefix: 'acme_live', scopes: { a: 'A' }, logger: false } as const
    const elsewhere = latchkey({ ...options, store: sqliteStore({ path, driver }) })
    const { token: text, record } = await elsewhere.system.create({ name: 'ERP', scopes: ['a'] })
    const database = openHandle(path)
    const heard = vi.fn()
    const store = sqliteStore({ database, busyTimeout: 0.005 })
    const here = latchkey({ ...options, store, cache: { maxStaleness: 0.1 }, onError: heard })
    expect(await here.verify(text)).toMatchObject({ ok: true })
    database.exec('begin')
    database.prepare('select count(*) from latchkey_tokens').all([] as never)
    await elsewhere.system.revoke(record.id, { waitForNodes: true })
    await expect(here.verify(text)).rejects.toMatchObject({ code: 'store_unavailable' })
    await expect(here.introspect(text)).rejects.toMatchObject({ code: 'store_unavailable' })
    await expect(here.system.get(record.id)).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(heard).toHaveBeenCalled()
    database.exec('commit')
    await expect.poll(async () => await here.verify(text)).toMatchObject({ ok: false, code: 'token_revoked' })
    await Promise.all([here.close(), elsewhere.close()])
  })
})
