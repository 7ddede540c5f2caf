import type { MysqlPool } from '../../../adapters/stores/sql/dialects/mysql-connection.js'
import type { PostgresPool } from '../../../adapters/stores/sql/dialects/postgres-connection.js'

/** One statement in this many is refused. */
const ONE_IN = 20

/** Refuses about one statement in twenty, in a pseudo-random order that is the same in every run. */
const chance = (): (() => boolean) => {
  let state = 20_261_126
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % 997 < 997 / ONE_IN
  }
}

/** A pool that counts its refusals, so a test can check that there were some. */
export type Contended<Pool> = { readonly pool: Pool; refusals(): number }

type Query = { readonly text: string }
type Client = { query(config: Query): Promise<unknown> }

const serializationFailure = (): Error => Object.assign(new Error('could not serialize access'), { code: '40001' })

/**
 * A `pg` pool that behaves like a distributed engine. Every transaction is serializable, whatever it asks for. One statement in twenty,
 * commits included, fails with 40001. There is no LISTEN, because the pool offers no client constructor.
 */
export const contendedPostgres = (pool: PostgresPool): Contended<PostgresPool> => {
  const refuses = chance()
  const wrapped = new WeakMap<object, object>()
  let refusals = 0
  const wrap = (client: object): object => {
    const query = async (config: Query): Promise<unknown> => {
      if (config.text !== 'rollback' && refuses()) {
        refusals += 1
        throw serializationFailure()
      }
      const text = config.text.replace(/^begin isolation level .*$/, 'begin isolation level serializable')
      return await (client as Client).query({ ...config, text })
    }
    const made = new Proxy(client, {
      get(target, key) {
        if (key === 'query') return query
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    wrapped.set(client, made)
    return made
  }
  const connect: PostgresPool['connect'] = (answer) =>
    pool.connect((error, client) => answer(error, client && ((wrapped.get(client) ?? wrap(client)) as typeof client)))
  return { pool: { connect }, refusals: () => refusals }
}

type Answer = (failure: unknown, result?: unknown) => void
type Statement = { readonly sql: string }
type Connection = { query(options: Statement | string, values: unknown, answer: Answer): unknown }

/**
 * A `mysql2` pool on which one statement in twenty fails. A deadlock (1213) rolls the whole transaction back; a lock wait timeout (1205)
 * rolls back the statement alone. Commits fail too, as on a cluster that certifies them.
 */
export const contendedMysql = (pool: MysqlPool): Contended<MysqlPool> => {
  const refuses = chance()
  const wrapped = new WeakMap<object, object>()
  let refusals = 0
  const wrap = (connection: object): object => {
    const asking =
      (how: 'query' | 'execute') =>
      (options: Statement, values: unknown, answer: Answer): void => {
        const target = connection as { readonly [method in typeof how]: Connection['query'] } & Connection
        if (/^(rollback|select release_lock)/.test(options.sql) || !refuses()) {
          target[how](options, values, answer)
          return
        }
        refusals += 1
        if (refusals % 2 === 0) answer(Object.assign(new Error('lock wait timeout'), { errno: 1205, code: 'ER_LOCK_WAIT_TIMEOUT' }))
        else {
          const deadlock = Object.assign(new Error('deadlock found'), { errno: 1213, code: 'ER_LOCK_DEADLOCK' })
          target.query('rollback', [], () => answer(deadlock))
        }
      }
    const made = new Proxy(connection, {
      get(target, key) {
        if (key === 'query' || key === 'execute') return asking(key)
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    wrapped.set(connection, made)
    return made
  }
  const getConnection: MysqlPool['getConnection'] = (answer) =>
    pool.getConnection((error, connection) => {
      // After an error there is no connection, although the type says otherwise.
      const given = error ? connection : ((wrapped.get(connection) ?? wrap(connection)) as typeof connection)
      answer(error, given)
    })
  return { pool: { getConnection }, refusals: () => refusals }
}
