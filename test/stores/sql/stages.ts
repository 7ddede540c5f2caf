import type { StoreSubject } from 'latchkey/testing'
import { type ConnectionOptions, createConnection } from 'mysql2/promise'
import { Client, type ClientConfig } from 'pg'
import { type OwnPlace, TRIM } from './databases.js'

type Begin = NonNullable<StoreSubject['beginTransaction']>

/** Begins transactions for the host, each on its own Postgres client. */
export const postgresTransactions =
  (config: ClientConfig): Begin =>
  async () => {
    const transaction = new Client(config)
    await transaction.connect()
    await transaction.query('begin')
    const end = (how: string) => async () => {
      await transaction.query(how)
      await transaction.end()
    }
    return { transaction, commit: end('commit'), rollback: end('rollback') }
  }

/** Begins transactions for the host, each on its own MySQL connection. */
export const mysqlTransactions =
  (config: ConnectionOptions): Begin =>
  async () => {
    const transaction = await createConnection(config)
    await transaction.beginTransaction()
    const end = (how: 'commit' | 'rollback') => async () => {
      await transaction[how]()
      await transaction.end()
    }
    return { transaction, commit: end('commit'), rollback: end('rollback') }
  }

/** The subject of the contract: stores on the same data, whose feed can be trimmed. */
export const stageOver = (place: OwnPlace, open: () => StoreSubject['store'], beginTransaction: Begin): StoreSubject => ({
  store: open(),
  second: open(),
  reopen: open,
  async trimFeed() {
    for (const statement of TRIM) await place.query(statement)
  },
  beginTransaction,
})
