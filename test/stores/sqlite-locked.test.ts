import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { ownFolder } from './sql/databases.js'
import { event, token } from './sql/samples.js'
import { availableDrivers } from './sql/sqlite-drivers.js'

const folder = await ownFolder()
afterAll(() => folder.remove())
let files = 0

const LEASE = { nodeId: 'n', cursor: '0', expiresAt: 1 }

describe.each(await availableDrivers())('%s after another handle held the file lock', async (driver) => {
  const Database = await findDriver(driver)
  const open: { close(): unknown }[] = []
  afterEach(() => {
    for (const handle of open.splice(0)) handle.close()
  })

  /** A store on one handle, and another handle that changes the same file. */
  const pair = async (journal: string) => {
    files += 1
    const path = folder.path(`${files}.db`)
    const [own, other] = [new Database(path), new Database(path)]
    open.push(own, other)
    own.exec(`pragma journal_mode = ${journal}`)
    const store = sqliteStore({ database: own, busyTimeout: 0.005 })
    await store.migrate?.()
    return { own, other, store, head: async () => Number((await store.changes(undefined, 1)).cursor) }
  }

  it('reads current data after a write fails to get the SQLite lock', async () => {
    const { other, store, head } = await pair('wal')
    for (let round = 1; round <= 5; round += 1) {
      other.exec('begin immediate')
      other.exec('update latchkey_feed set head = head + 1')
      await expect(Promise.resolve(store.renewLease?.(LEASE))).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(Promise.resolve(store.commit({ inserts: [token()], events: [event()] }))).rejects.toMatchObject({
        code: 'store_unavailable',
      })
      expect(await head()).toBe(round - 1)
      other.exec('commit')
      expect(await head()).toBe(round)
    }
    await store.renewLease?.(LEASE)
    expect(await store.commit({ inserts: [token()], events: [event()] })).toEqual({ ok: true })
  })

  it('reads current data after a read fails to get the SQLite lock', async () => {
    const { other, store, head } = await pair('delete')
    for (let round = 1; round <= 5; round += 1) {
      other.exec('begin exclusive')
      other.exec('update latchkey_feed set head = head + 1')
      await expect(head()).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(Promise.resolve(store.find(['none']))).rejects.toMatchObject({ code: 'store_unavailable' })
      other.exec('commit')
      expect(await store.find(['none'])).toEqual([])
      expect(await head()).toBe(round)
    }
    // A read that was left open would deny the lock to other handles.
    other.exec('update latchkey_feed set head = 100')
    expect(await head()).toBe(100)
  })

  it('refuses a wrong ticket without waiting for the SQLite lock, and takes a valid ticket only with the lock', async () => {
    const { own, other, store } = await pair('wal')
    const known = token()
    await store.commit({ inserts: [known], events: [event()] })
    const ticket = { prefix: known.prefix, digest: 'a'.repeat(64), tokenId: known.id, expiresAt: 2_000 }
    const begun = vi.spyOn(own, 'exec')
    const room = { max: 9, now: 1_000, forgetBefore: 1_000 }
    expect(await store.saveTicket?.(ticket, room)).toBe(true)
    expect(begun.mock.calls.filter(([statement]) => statement.startsWith('begin'))).toHaveLength(1)
    other.exec('begin immediate')
    expect(await store.takeTicket?.(known.prefix, 'b'.repeat(64))).toBeUndefined()
    await expect(Promise.resolve(store.takeTicket?.(known.prefix, ticket.digest))).rejects.toMatchObject({ code: 'store_unavailable' })
    other.exec('commit')
    const taken = await Promise.all([1, 2, 3].map(() => store.takeTicket?.(known.prefix, ticket.digest)))
    expect(taken.filter((each) => each !== undefined)).toEqual([ticket])
    // The store removes the old ticket in a separate transaction.
    expect(await store.saveTicket?.({ ...ticket, expiresAt: 500 }, room)).toBe(true)
    expect(await store.saveTicket?.({ ...ticket, digest: 'c'.repeat(64) }, room)).toBe(true)
    expect(await store.takeTicket?.(known.prefix, ticket.digest)).toBeUndefined()
  })

  // Without a WAL, the lock blocks reads too.
  it.each([
    ['wal', 'begin immediate'],
    ['delete', 'begin exclusive'],
  ])("leaves the host's handle unchanged if a creation in its transaction cannot get the lock: %s", async (journal, begin) => {
    const { own, other, store, head } = await pair(journal)
    for (let round = 1; round <= 5; round += 1) {
      const before = await head()
      other.exec(begin)
      other.exec('update latchkey_feed set head = head + 1')
      own.exec('begin')
      const inside = { inserts: [token()], events: [event()] }
      await expect(Promise.resolve().then(() => store.commitIn?.(own, inside))).rejects.toThrow()
      own.exec('rollback')
      if (journal === 'wal') expect(await head()).toBe(before)
      other.exec('commit')
      expect(await head()).toBe(before + 1)
      // A statement left open on the handle would deny the lock to other handles.
      other.exec('update latchkey_feed set head = head + 1')
      expect(await head()).toBe(before + 2)
    }
    own.exec('begin immediate')
    own.exec('commit')
  })
})
