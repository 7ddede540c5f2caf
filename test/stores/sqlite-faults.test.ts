import { mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { InvalidInputError, StoreUnavailableError } from '../../src/errors.js'
import { ownFolder } from './sql/databases.js'
import { event, token } from './sql/samples.js'

const failure = async (work: unknown): Promise<Error> => {
  try {
    await work
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('it did not fail')
}

const pragma = (database: { exec(sql: string): unknown }, text: string): void => {
  database.exec(`pragma ${text}`)
}

describe('SQLite faults', () => {
  let folder: Awaited<ReturnType<typeof ownFolder>>
  const opened: { close(): unknown }[] = []

  beforeEach(async () => {
    folder = await ownFolder()
  })
  afterEach(async () => {
    for (const database of opened.splice(0)) database.close()
    await folder.remove()
  })

  const beside = async (): Promise<InstanceType<Awaited<ReturnType<typeof findDriver>>>> => {
    const Driver = await findDriver()
    const database = new Driver(folder.path('tokens.db'))
    opened.push(database)
    return database
  }

  it('reports a missing folder for a SQLite file and does not create the folder', async () => {
    const error = await failure(sqliteStore(folder.path('no/such/tokens.db')).migrate?.())
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error.message).toContain('does not exist: create it first')
    await expect(stat(folder.path('no'))).rejects.toThrow()
  })

  it('does not report the folder of a SQLite file as missing if the folder cannot be read', async () => {
    await symlink('loop', folder.path('loop'))
    const error = await failure(sqliteStore(folder.path('loop/tokens.db')).migrate?.())
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error.message).toContain('(ELOOP)')
    expect(error.message).not.toContain('does not exist')
  })

  it('reports that the SQLite path is a folder', async () => {
    await mkdir(folder.path('tokens.db'))
    const error = await failure(sqliteStore(folder.path('tokens.db')).migrate?.())
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error.message).toContain('it is a folder')
  })

  it('reports that a SQLite file is not a database, and leaves it unchanged', async () => {
    await writeFile(folder.path('tokens.db'), 'a shopping list, rather long, and certainly no database at all\n'.repeat(40))
    const error = await failure(sqliteStore(folder.path('tokens.db')).migrate?.())
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error.message).toContain('is damaged or not a database')
    expect((await stat(folder.path('tokens.db'))).size).toBe(2520)
  })

  it('tells the host to call migrate() if the SQLite tables are missing', async () => {
    const store = sqliteStore(folder.path('tokens.db'))
    const error = await failure(store.find(['a']))
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error.message).toContain('call migrate()')
    await store.close?.()
  })

  it('creates a SQLite file that only its owner can read', async () => {
    const store = sqliteStore(folder.path('tokens.db'))
    await store.migrate?.()
    await store.commit({ inserts: [token()], events: [event()] })
    for (const name of ['tokens.db', 'tokens.db-wal', 'tokens.db-shm']) {
      expect((await stat(folder.path(name))).mode & 0o077).toBe(0)
    }
    await store.close?.()
  })

  it("waits for another process's SQLite lock without blocking, then reports the lock; reads continue", async () => {
    const store = sqliteStore({ path: folder.path('tokens.db'), busyTimeout: 0.06 })
    await store.migrate?.()
    const known = token()
    await store.commit({ inserts: [known], events: [event()] })
    const other = await beside()
    other.exec('begin immediate')
    let turns = 0
    const counting = setInterval(() => {
      turns += 1
    }, 1)
    const error = await failure(store.commit({ inserts: [token()], events: [event()] }))
    clearInterval(counting)
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error.message).toContain('locked by another process')
    expect(turns).toBeGreaterThan(5)
    expect(await store.find([known.id])).toHaveLength(1)
    const waiting = store.commit({ inserts: [token()], events: [event()] })
    other.exec('rollback')
    expect(await waiting).toEqual({ ok: true })
    await store.close?.()
  })

  it('writes nothing to a SQLite file when the disk is full', async () => {
    const database = await beside()
    const store = sqliteStore({ database })
    await store.migrate?.()
    const known = token()
    await store.commit({ inserts: [known], events: [event()] })
    pragma(database, 'max_page_count = 1')
    const change = { inserts: [token({ name: 'x'.repeat(500_000) })], events: [event()] }
    const error = await failure(store.commit(change))
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error.message).toContain('disk')
    pragma(database, 'max_page_count = 1000000')
    expect(await store.find([known.id, change.inserts[0]?.id ?? ''])).toEqual([known])
    expect(await store.events({ prefix: 'acme', limit: 10 })).toHaveLength(1)
    expect(await store.commit(change)).toEqual({ ok: true })
  })

  it('reports that the SQLite file is read-only', async () => {
    const database = await beside()
    const store = sqliteStore({ database })
    await store.migrate?.()
    pragma(database, 'query_only = 1')
    const error = await failure(store.commit({ inserts: [token()], events: [event()] }))
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error.message).toContain('read-only')
  })

  it('keeps query values out of SQLite errors', async () => {
    const database = await beside()
    const store = sqliteStore({ database })
    await store.migrate?.()
    database.exec(`create trigger grumble before insert on latchkey_tokens begin select raise(abort, 'canary in the trigger'); end`)
    const error = await failure(store.commit({ inserts: [token({ name: 'canary in the name' })], events: [event()] }))
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('canary')
  })

  it('returns a token with a damaged row as never valid, and all other tokens unchanged', async () => {
    const database = await beside()
    const store = sqliteStore({ database })
    await store.migrate?.()
    const [good, late, bare] = [token(), token({ expiresAt: 1 }), token({ allowedIps: ['10.0.0.0/8'] })]
    const heir = token({ inherit: true, ownerId: 'o', metadata: { team: 'a' }, resources: { warehouse: ['w1'] } })
    await store.commit({ inserts: [good, late, bare, heir], events: [event()] })
    database.exec(`update latchkey_tokens set expires_at = 'soon' where id = '${late.id}'`)
    database.exec(`update latchkey_tokens set allowed_ips = '["10.' where id = '${bare.id}'`)
    database.exec(`update latchkey_tokens set metadata = '{"team"' where id = '${heir.id}'`)
    const found = new Map((await store.find([good.id, late.id, bare.id, heir.id])).map((one) => [one.id, one]))
    expect(found.get(good.id)).toEqual(good)
    expect(found.get(late.id)?.expiresAt).toBeNaN()
    expect(found.get(bare.id)).toMatchObject({ scopes: [], allowedIps: [], expiresAt: Number.NaN })
    const { inherit, metadata, ...rest } = heir
    expect(found.get(heir.id)).toEqual({ ...rest, scopes: [], resources: {}, allowedIps: [], expiresAt: Number.NaN, damaged: ['metadata'] })
  })

  it('names the packages to install if there is no SQLite driver', async () => {
    const there = await findDriver('better-sqlite3').then(
      () => true,
      () => false,
    )
    if (there) return
    const error = await failure(sqliteStore({ path: folder.path('tokens.db'), driver: 'better-sqlite3' }).migrate?.())
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error.message).toContain('npm install')
  })

  it('refuses unknown and invalid SQLite options', () => {
    for (const options of [
      {},
      { path: '' },
      { path: 'a\0b' },
      { path: 'a', database: { prepare: 1 } },
      { path: 'a', tablePrefix: 'x"; drop table y; --' },
      { path: 'a', busyTimeout: Number.NaN },
      { path: 'a', pahtr: 1 },
      { database: {} },
      { database: 'a' },
      null,
    ]) {
      expect(() => sqliteStore(options as never)).toThrow(InvalidInputError)
    }
  })

  it('reopens a SQLite store that was closed', async () => {
    const store = sqliteStore(folder.path('tokens.db'))
    await store.migrate?.()
    const known = token()
    await store.commit({ inserts: [known], events: [event()] })
    await store.close?.()
    expect(await store.find([known.id])).toEqual([known])
    await store.close?.()
  })
})
