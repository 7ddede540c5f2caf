import { Kysely, MysqlDialect } from 'kysely'
import { migrationSql, mysqlStore } from 'latchkey/stores/mysql'
import { createPool } from 'mysql2'
import { createPool as createPromisePool } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InvalidInputError } from '../../src/errors.js'
import { service } from '../support/services.js'
import { type OwnPlace, ownDatabase } from './sql/databases.js'
import { event, token } from './sql/samples.js'
import { serverTests } from './sql/servers.js'

const mysql = await service('mysql')
const url = mysql.url ?? ''

describe.skipIf(mysql.skip)(`the MySQL store and its server ${mysql.skip ?? ''}`, () => {
  serverTests({
    place: () => ownDatabase(url),
    open: (place) => mysqlStore({ url: place.url, poolSize: 2 }),
    printed: () => migrationSql('mysql'),
    async limited(place) {
      // MySQL user names have at most 32 characters.
      const user = place.schema.slice(-24)
      await place.query(`create user '${user}'@'%' identified by 'word'`)
      const as = new URL(place.url)
      as.username = user
      as.password = 'word'
      return { user, store: mysqlStore({ url: as.href }), remove: () => place.query(`drop user '${user}'@'%'`) }
    },
    async broken(place) {
      const changed = (change: (url: URL) => void): string => {
        const other = new URL(place.url)
        change(other)
        return other.href
      }
      const nobody = changed((it) => {
        it.username = 'latchkey_nobody'
        it.password = 's3cret-word'
      })
      const cut = createPool({ uri: place.url, connectionLimit: 1 })
      cut.on('connection', (connection) => connection.query("set session sql_mode = ''"))
      return [
        { store: mysqlStore({ url: 'mysql://me:s3cret-word@127.0.0.1:1/db' }), says: 'cannot be reached' },
        { store: mysqlStore({ url: nobody }), says: 'refused the login' },
        { store: mysqlStore({ url: changed((it) => (it.pathname = '/latchkey_no_such')) }), says: 'does not exist' },
        { store: { ...mysqlStore({ pool: cut }), close: () => cut.promise().end() }, says: 'STRICT_TRANS_TABLES' },
      ]
    },
  })
})

describe.skipIf(mysql.skip)(`connections that the host passes to a MySQL store ${mysql.skip ?? ''}`, () => {
  let place: OwnPlace

  beforeAll(async () => {
    place = await ownDatabase(url)
    const store = mysqlStore({ url: place.url })
    await store.migrate?.()
    await store.close?.()
  })
  afterAll(() => place?.remove())

  it("leaves the host's MySQL pool open when the store closes, for either kind of pool", async () => {
    const [plain, promised] = [
      createPool({ uri: place.url, connectionLimit: 2 }),
      createPromisePool({ uri: place.url, connectionLimit: 1 }),
    ]
    for (const pool of [plain, promised]) {
      const store = mysqlStore({ pool })
      const known = token()
      await Promise.all(Array.from({ length: 10 }, () => store.commit({ inserts: [token()], events: [event()] })))
      await store.commit({ inserts: [known], events: [event()] })
      expect(await store.find([known.id, 'b', 'c'])).toEqual([known])
      await store.close?.()
    }
    expect((await plain.promise().query('select 1 as one'))[0]).toEqual([{ one: 1 }])
    expect((await promised.query('select 1 as one'))[0]).toEqual([{ one: 1 }])
    await plain.promise().end()
    await promised.end()
  })

  it('accepts a Kysely instance for MySQL', async () => {
    const kysely = new Kysely<Record<string, never>>({
      dialect: new MysqlDialect({ pool: createPool({ uri: place.url, connectionLimit: 2 }) }),
    })
    const store = mysqlStore({ kysely })
    const known = token()
    expect(await store.commit({ inserts: [known], events: [event()] })).toEqual({ ok: true })
    await store.close?.()
    expect(await store.find([known.id])).toEqual([known])
    await kysely.destroy()
  })

  it('refuses misspelled, missing and conflicting MySQL options', () => {
    const pool = createPool({ uri: place.url })
    for (const options of [{}, { url, pool }, { url: 'postgres://a/b' }, { url: 7 }, { url, poolSize: 0 }, { uri: url }, null]) {
      expect(() => mysqlStore(options as never)).toThrow(InvalidInputError)
    }
    pool.end(() => {})
  })
})
