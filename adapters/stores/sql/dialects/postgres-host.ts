import { CompiledQuery, type QueryResult } from 'kysely'
import { hasMethods } from '../../lib/has-methods.js'
import { type HostAccess, kyselyTransaction, laterTransaction, NotOpen, SAVEPOINT } from '../host-transaction.js'
import { asSentTypes, checkValues, type PostgresResult } from './postgres-connection.js'

type Client = { query(config: object): Promise<PostgresResult> }

/** A client has these methods. A pool, whose statements may each use a different connection, has only the first. */
const isClient = (given: object): given is Client => hasMethods(given, ['query', 'escapeLiteral', 'escapeIdentifier'])

/** no_active_sql_transaction, in_failed_sql_transaction */
const NOT_OPEN: readonly unknown[] = ['25P01', '25P02']

/** Accepts a Kysely transaction, or a `pg` client with an open transaction. */
export const postgresHost: HostAccess = {
  read(given) {
    const kysely = kyselyTransaction(given)
    if (kysely !== undefined) return kysely
    if (!isClient(given)) return undefined
    return laterTransaction(given, async ({ sql, parameters }): Promise<QueryResult<unknown>> => {
      const { rows } = await given.query({ text: sql, values: parameters, types: asSentTypes })
      return { rows }
    })
  },
  *enter() {
    try {
      yield CompiledQuery.raw(`savepoint ${SAVEPOINT}`)
    } catch (error) {
      throw NOT_OPEN.includes(Reflect.get(Object(error), 'code')) ? new NotOpen() : error
    }
  },
  check: () => checkValues(),
}
