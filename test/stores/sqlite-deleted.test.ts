import { unlinkSync } from 'node:fs'
import { copyFile, mkdir, readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Kysely } from 'kysely'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { StoreUnavailableError } from '../../src/errors.js'
import { ownFolder } from './sql/databases.js'
import { fileDialect } from './sql/kysely-sqlite.js'
import { event, token } from './sql/samples.js'

const change = () => ({ inserts: [token()], events: [event()] })

describe('a SQLite file that is deleted or replaced while it is open', () => {
  let folder: Awaited<ReturnType<typeof ownFolder>>
  const cleanups: (() => unknown)[] = []

  beforeEach(async () => {
    folder = await ownFolder()
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    await folder.remove()
  })

  const file = (): string => folder.path('tokens.db')

  const openings = {
    'a path': () => sqliteStore(file()),
    'a database of the host': async () => {
      const Driver = await findDriver()
      const database = new Driver(file())
      cleanups.push(() => database.close())
      database.exec('pragma journal_mode = wal')
      return sqliteStore({ database })
    },
    'a database of the host without WAL': async () => {
      const Driver = await findDriver()
      const database = new Driver(file())
      cleanups.push(() => database.close())
      return sqliteStore({ database })
    },
    'a Kysely instance': async () => {
      const Driver = await findDriver('libsql')
      const database = new Driver(file())
      database.exec('pragma journal_mode = wal')
      const kysely = new Kysely<Record<string, never>>({ dialect: fileDialect(database) })
      cleanups.push(() => kysely.destroy())
      return sqliteStore({ database: kysely })
    },
  } as const

  const opened = async (how: keyof typeof openings) => {
    const store = await openings[how]()
    cleanups.push(() => store.close())
    await store.migrate()
    await store.commit(change())
    return store
  }

  /** Reads check the file a few times a second. */
  const refusesReads = async (store: Awaited<ReturnType<typeof opened>>): Promise<void> => {
    await expect
      .poll(async () => {
        try {
          await store.find(['a'])
          return 'it answered'
        } catch (error) {
          return error
        }
      })
      .toBeInstanceOf(StoreUnavailableError)
  }

  const all = Object.keys(openings) as (keyof typeof openings)[]

  it.each(all)('acknowledges no change after its SQLite file is deleted (%s)', async (how) => {
    const store = await opened(how)
    await unlink(file())
    await expect(async () => store.commit(change())).rejects.toThrow(/was deleted or replaced while it was open/)
    await expect(async () =>
      store.revokeWhere({ prefix: 'acme' }, { revokedAt: 1, revokedBy: 'bob', revokedCode: 'bulk', bulkId: 'b' }, event()),
    ).rejects.toThrow(/deleted/)
    await refusesReads(store)
  })

  it.each(all)('acknowledges no change after another file replaced its SQLite file (%s)', async (how) => {
    const store = await opened(how)
    await copyFile(file(), folder.path('backup.db'))
    await rename(folder.path('backup.db'), file())
    await expect(async () => store.commit(change())).rejects.toThrow(/was deleted or replaced while it was open/)
    await refusesReads(store)
  })

  const links = {
    'the file': { below: '', target: 'tokens.db' },
    'the folder above it': { below: '/tokens.db', target: '' },
  } as const
  const byLink = {
    'a path': (path: string) => sqliteStore(path),
    'a database of the host that exposes its path, like better-sqlite3': async (path: string) => {
      const Driver = await findDriver('libsql')
      const database = new Driver(path)
      cleanups.push(() => database.close())
      database.exec('pragma journal_mode = wal')
      return sqliteStore({ database: Object.assign(database, { name: path }) })
    },
  } as const

  for (const [which, { below, target }] of Object.entries(links)) {
    for (const [how, open] of Object.entries(byLink)) {
      it(`acknowledges no change after a link to ${which} is repointed, and continues when it is pointed back (${how})`, async () => {
        const link = folder.path('current')
        const switchTo = (release: string): Promise<void> =>
          symlink(folder.path(join(release, target)), `${link}.new`).then(() => rename(`${link}.new`, link))
        for (const release of ['r1', 'r2']) await mkdir(folder.path(release))
        await writeFile(folder.path('r1/tokens.db'), '')
        await switchTo('r1')
        const store = await open(link + below)
        cleanups.push(() => store.close())
        await store.migrate()
        await store.commit(change())
        await copyFile(folder.path('r1/tokens.db'), folder.path('r2/tokens.db'))
        await switchTo('r2')
        await expect(async () => store.commit(change())).rejects.toThrow(/was deleted or replaced while it was open/)
        await refusesReads(store)
        await switchTo('r1')
        expect(await store.commit(change())).toEqual({ ok: true })
      })
    }
  }

  it.each(['-wal', '-shm'])('acknowledges no change after its %s file, which held the last changes, was deleted', async (suffix) => {
    const store = await opened('a path')
    await unlink(file() + suffix)
    await expect(async () => store.commit(change())).rejects.toThrow(new RegExp(`tokens.db${suffix} was deleted`))
    await writeFile(file() + suffix, '')
    await expect(async () => store.commit(change())).rejects.toThrow(/was deleted or replaced/)
  })

  it('acknowledges no change if its SQLite file is deleted during the commit', async () => {
    const Driver = await findDriver('libsql')
    let deleting = false
    const kysely = new Kysely<Record<string, never>>({
      dialect: fileDialect(new Driver(file())),
      // This happens after the commit, before the store learns of it.
      log: ({ query }) => {
        if (deleting && query.sql === 'commit') unlinkSync(file())
      },
    })
    cleanups.push(() => kysely.destroy())
    const store = sqliteStore({ database: kysely })
    await store.migrate()
    deleting = true
    await expect(async () => store.commit(change())).rejects.toThrow(/was deleted or replaced while it was open/)
  })

  it('works again when a moved SQLite file is moved back', async () => {
    const store = await opened('a path')
    await rename(file(), folder.path('elsewhere.db'))
    await expect(async () => store.commit(change())).rejects.toThrow(/deleted/)
    await rename(folder.path('elsewhere.db'), file())
    expect(await store.commit(change())).toEqual({ ok: true })
  })

  it('continues after a checkpoint, a vacuum, or a change to the journal mode that removes the WAL', async () => {
    const Driver = await findDriver()
    const database = new Driver(file())
    cleanups.push(() => database.close())
    database.exec('pragma journal_mode = wal')
    const store = sqliteStore({ database })
    await store.migrate()
    await store.commit(change())
    database.exec('pragma wal_checkpoint(truncate)')
    expect(await store.commit(change())).toEqual({ ok: true })
    database.exec('vacuum')
    expect(await store.commit(change())).toEqual({ ok: true })
    for (const mode of ['delete', 'wal', 'truncate', 'wal']) {
      database.exec(`pragma journal_mode = ${mode}`)
      for (let times = 0; times < 3; times += 1) expect(await store.commit(change())).toEqual({ ok: true })
    }
    expect((await readFile(file())).length).toBeGreaterThan(0)
  })

  it("reports a host's SQLite database whose file is already gone", async () => {
    const Driver = await findDriver()
    const database = new Driver(file())
    cleanups.push(() => database.close())
    database.exec('create table stock (n integer)')
    await unlink(file())
    await expect(async () => sqliteStore({ database }).migrate()).rejects.toThrow(/was deleted or replaced/)
  })

  it('acknowledges changes to an in-memory SQLite database, which has no file to check', async () => {
    const store = sqliteStore(':memory:')
    cleanups.push(() => store.close())
    await store.migrate()
    expect(await store.commit(change())).toEqual({ ok: true })
  })
})
