import { Kysely, SqliteDialect } from 'kysely'
import { latchkey } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findDriver } from '../../../adapters/stores/sql/dialects/sqlite-open.js'
import { ownFolder } from '../sql/databases.js'
import { availableDrivers } from '../sql/sqlite-drivers.js'
import { type Begun, kyselySubject, transactionCases } from './cases.js'

const folder = await ownFolder()
afterAll(() => folder.remove())
let files = 0

describe.each(await availableDrivers())('a %s transaction', async (driver) => {
  const Database = await findDriver(driver)
  const handles: { close(): unknown }[] = []
  let path = ''

  beforeEach(() => {
    files += 1
    path = folder.path(`${files}.db`)
  })
  afterEach(() => {
    for (const handle of handles.splice(0)) handle.close()
  })

  const handle = () => {
    const database = new Database(path)
    handles.push(database)
    return database
  }
  const begin = (statement: string, database = handle()): Begun => {
    database.exec(statement)
    return { transaction: database, commit: async () => database.exec('commit'), rollback: async () => database.exec('rollback') }
  }
  const idle = async (): Promise<Begun> => ({ transaction: handle(), commit: async () => {}, rollback: async () => {} })

  describe('on a separate handle', () => {
    transactionCases({ open: () => sqliteStore({ path }), begin: async () => begin('begin immediate'), idle, others: false })
  })
  describe("on the store's own handle", () => {
    let shared: ReturnType<typeof handle> | undefined
    beforeEach(() => {
      shared = undefined
    })
    const own = () => {
      shared ??= handle()
      return shared
    }
    const open = () => sqliteStore({ database: own(), busyTimeout: 0.2 })
    transactionCases({ open, begin: async () => begin('begin', own()), idle, others: false, shared: true })
  })
})

describe('a Kysely transaction on SQLite', async () => {
  const Database = await findDriver('libsql')
  let kysely: Kysely<Record<string, never>>
  let path = ''
  beforeEach(() => {
    files += 1
    path = folder.path(`${files}.db`)
    kysely = new Kysely({ dialect: new SqliteDialect({ database: new Database(path) as never }) })
  })
  afterEach(() => kysely.destroy())
  transactionCases({ open: () => sqliteStore({ path }), ...kyselySubject(() => kysely), others: false })
})

it('calls onEvent for an event of a host transaction once, on the node that assigns its position', async () => {
  files += 1
  const path = folder.path(`${files}.db`)
  const heard: string[] = []
  const node = (name: string) => {
    const onEvent = ({ action }: { action: string }): void => void heard.push(`${name} ${action}`)
    return latchkey({ prefix: 'acme_live', store: sqliteStore({ path, driver: 'libsql' }), scopes: { 'a:read': 'Read' }, onEvent })
  }
  const [creator, reader] = [node('creator'), node('reader')]
  await Promise.all([creator.system.list(), reader.system.list()])
  const Database = await findDriver('libsql')
  const transaction = new Database(path)
  transaction.exec('begin immediate')
  await creator.system.create({ name: 'ERP', scopes: ['a:read'] }, { transaction })
  await creator.close()
  transaction.exec('commit')
  expect(heard).toEqual([])
  expect((await reader.system.events()).items).toMatchObject([{ action: 'token.created' }])
  await reader.system.events()
  expect(heard).toEqual(['reader token.created'])
  await reader.close()
  transaction.close()
})

it('refuses to start inside a transaction that locks its tables, and works once the transaction ends', async () => {
  files += 1
  const path = folder.path(`${files}.db`)
  const store = sqliteStore({ path, driver: 'libsql' })
  const tokens = latchkey({ prefix: 'first', store, scopes: { 'a:read': 'Read' }, deadline: 0.05, logger: false })
  const Database = await findDriver('libsql')
  const transaction = new Database(path)
  const create = () => tokens.system.create({ name: 'ERP', scopes: ['a:read'] }, { transaction })
  transaction.exec('begin immediate')
  await expect(create()).rejects.toMatchObject({
    code: 'invalid_input',
    field: 'transaction',
    message: expect.stringMatching(/migrate\(\)/),
  })
  transaction.exec('rollback')
  await store.migrate()
  transaction.exec('begin immediate')
  await create()
  transaction.exec('commit')
  expect((await tokens.system.list()).items).toHaveLength(1)
  await tokens.close()
  transaction.close()
})
