import { Kysely, MysqlDialect } from 'kysely'
import { mysqlStore } from 'latchkey/stores/mysql'
import { createConnection, createPool } from 'mysql2'
import { createConnection as createPromised } from 'mysql2/promise'
import { afterAll, beforeAll, describe } from 'vitest'
import { service } from '../../support/services.js'
import { type OwnPlace, ownDatabase } from '../sql/databases.js'
import { type Begun, kyselySubject, transactionCases } from './cases.js'

const mysql = await service('mysql')

describe.skipIf(mysql.skip)(`transactions of a host in mysql ${mysql.skip ?? ''}`, () => {
  let place: OwnPlace
  beforeAll(async () => {
    place = await ownDatabase(mysql.url ?? '')
  })
  afterAll(() => place?.remove())
  const open = () => mysqlStore({ url: place.url })

  const promised = async (begin: string | undefined): Promise<Begun> => {
    const connection = await createPromised({ uri: place.url })
    if (begin !== undefined) for (const statement of begin.split('; ')) await connection.query(statement)
    const end = (how: string) => async () => {
      await connection.query(how)
      await connection.end()
    }
    return { transaction: connection, commit: end('commit'), rollback: end('rollback') }
  }
  describe.each(['begin', 'set transaction isolation level read committed; begin', 'set autocommit = 0'])(
    'a connection of mysql2/promise: %s',
    (begin) => {
      transactionCases({ open, begin: () => promised(begin), idle: () => promised(undefined), others: true })
    },
  )

  const called = async (begin: string | undefined): Promise<Begun> => {
    const connection = createConnection({ uri: place.url })
    const ask = (statement: string) =>
      new Promise<void>((resolve, reject) => connection.query(statement, (error) => (error ? reject(error) : resolve())))
    if (begin !== undefined) await ask(begin)
    const end = (how: string) => async () => {
      await ask(how)
      connection.destroy()
    }
    return { transaction: connection, commit: end('commit'), rollback: end('rollback') }
  }
  describe('a connection of mysql2', () => {
    transactionCases({ open, begin: () => called('begin'), idle: () => called(undefined), others: true })
  })

  describe('Kysely', () => {
    let kysely: Kysely<Record<string, never>>
    beforeAll(() => {
      kysely = new Kysely({ dialect: new MysqlDialect({ pool: createPool({ uri: place.url, charset: 'utf8mb4' }) }) })
    })
    afterAll(() => kysely.destroy())
    transactionCases({ open, ...kyselySubject(() => kysely), others: true })
  })
})
