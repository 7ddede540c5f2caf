import { Kysely, MysqlDialect } from 'kysely'
import { mysqlStore } from 'latchkey/stores/mysql'
import { createConnection, createPool, type Pool } from 'mysql2'
import { createConnection as createPromised } from 'mysql2/promise'
import { afterAll, beforeAll, describe } from 'vitest'
import { service } from '../../support/services.js'
import { type OwnPlace, ownDatabase } from '../sql/databases.js'
import { type Begun, committedWithinBulk, kyselySubject, transactionCases, watchBulk } from './cases.js'

const mysql = await service('mysql')

describe.skipIf(mysql.skip)(`host transactions in MySQL ${mysql.skip ?? ''}`, () => {
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
    'a mysql2/promise connection: %s',
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
  describe('a mysql2 connection', () => {
    transactionCases({ open, begin: () => called('begin'), idle: () => called(undefined), others: true })
  })

  describe('during a bulk revocation', () => {
    const pools: Pool[] = []
    afterAll(() => Promise.all(pools.map((pool) => pool.promise().end())))
    committedWithinBulk(
      (moment, then) => {
        const pool = createPool({ uri: place.url })
        pools.push(pool)
        let waits = true
        const isDue = watchBulk(moment, /^select (distinct `changed_id` from|`id` from .*`state` in)/)
        pool.on('connection', (connection) => {
          const query = connection.query.bind(connection) as (...args: unknown[]) => unknown
          Object.assign(connection, {
            query(options: { readonly sql: string }, ...rest: unknown[]) {
              if (!isDue(options.sql) || !waits) return query(options, ...rest)
              waits = false
              // A query that a promise resolves to would be awaited, which mysql2 refuses.
              return void then().then(() => void query(options, ...rest))
            },
          })
        })
        return mysqlStore({ pool })
      },
      () => promised('begin'),
    )
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
