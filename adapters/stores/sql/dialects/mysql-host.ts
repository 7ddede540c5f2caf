import { CompiledQuery } from 'kysely'
import { hasMethods } from '../../lib/has-methods.js'
import { type HostAccess, kyselyTransaction, laterTransaction, NotOpen, SAVEPOINT } from '../host-transaction.js'
import { checkValues, type MysqlConnection, queryOn, resultOf } from './mysql-connection.js'

/** A connection has these methods. A pool, whose statements may each use a different connection, has no `beginTransaction`. */
const isConnection = (given: object): given is MysqlConnection =>
  hasMethods(given, ['query', 'execute', 'beginTransaction', 'escapeId']) &&
  !hasMethods(given, ['getConnection']) &&
  typeof Reflect.get(given, 'config') === 'object'

/** A `mysql2/promise` connection wraps a callback connection. */
const connectionOf = (given: object): MysqlConnection | undefined => {
  const inner: unknown = Reflect.get(given, 'connection')
  if (typeof inner === 'object' && inner !== null && isConnection(inner)) return inner
  return isConnection(given) ? given : undefined
}

/** https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html#error_er_sp_does_not_exist */
const NO_SAVEPOINT = 1305

/** The transaction may have begun implicitly because autocommit is off, and the host decides how it ends. */
const OF_THE_HOST: readonly unknown[] = ['autocommit', 'completion_type']

/** Accepts a Kysely transaction, or a `mysql2` connection with an open transaction. */
export const mysqlHost: HostAccess = {
  read(given) {
    const kysely = kyselyTransaction(given)
    if (kysely !== undefined) return kysely
    const connection = connectionOf(given)
    if (connection === undefined) return undefined
    return laterTransaction(connection, async ({ sql, parameters }) => resultOf(await queryOn(connection, sql, parameters)))
  },
  *enter() {
    yield CompiledQuery.raw(`savepoint ${SAVEPOINT}`)
    try {
      // Without an open transaction, a savepoint ends with the statement that creates it.
      yield CompiledQuery.raw(`rollback to savepoint ${SAVEPOINT}`)
    } catch (error) {
      throw Reflect.get(Object(error), 'errno') === NO_SAVEPOINT ? new NotOpen() : error
    }
  },
  check: () => checkValues([], OF_THE_HOST),
}
