import { CompiledQuery, type QueryResult } from 'kysely'
import { driveAsync, type Engine, type Steps } from './engine.js'
import type { Quirks } from './quirks.js'
import { createQueue, patiently, persistently, promptly, timed, Unrepeatable } from './retry.js'
import { isUpToDate, migrationSteps } from './schema/migrate.js'
import type { Names } from './schema/table-names.js'

/** The part of a Kysely instance that the store uses. */
export type KyselyHandle = {
  executeQuery<R>(query: CompiledQuery<R>): Promise<QueryResult<R>>
  connection(): { execute<T>(work: (connection: KyselyHandle) => Promise<T>): Promise<T> }
  withoutPlugins(): KyselyHandle
}

/** The parts that a dialect adds to the engine. */
export type KyselyEngineOptions = Pick<Engine, 'find' | 'subscribe'> & {
  close?(): Promise<void>
  /** Where the statements of `feed` go. */
  readonly feed?: KyselyHandle
  /** Where the statements of `read` go. */
  readonly reads?: KyselyHandle
  /** Overrides how the dialect begins a transaction. */
  readonly begin?: readonly string[]
  /** Checks a connection before a transaction begins on it. Throws if the connection is unsuitable. */
  check?(connection: KyselyHandle): Promise<void>
}

const say = (text: string): CompiledQuery => CompiledQuery.raw(text)

/** Runs steps through Kysely: over our own pool, the host's pool, or the host's Kysely instance. */
export const kyselyEngine = (given: KyselyHandle, quirks: Quirks, names: Names, options: KyselyEngineOptions): Engine => {
  // The host's plugins, such as one that converts columns to camel case, would change our rows too.
  const db = given.withoutPlugins()

  const { begin = quirks.begin } = options

  const once = <T>(steps: () => Steps<T>): Promise<T> =>
    db.connection().execute(async (connection) => {
      await options.check?.(connection)
      let committing = false
      try {
        for (const statement of begin) await connection.executeQuery(say(statement))
        const result = await driveAsync(steps(), (query) => timed(() => connection.executeQuery(query)))
        committing = true
        await connection.executeQuery(say('commit'))
        return result
      } catch (error) {
        // A lost connection cannot roll back. The server does that when it notices the loss.
        await connection.executeQuery(say('rollback')).catch(() => {})
        // A commit without a response may have happened, so it must not be repeated.
        if (committing && quirks.faultOf(error) === 'connection') throw new Unrepeatable(error)
        throw error
      }
    })

  const { feed, reads } = options
  const again = <T>(work: () => Promise<T>): Promise<T> => patiently(quirks.faultOf, work)
  const queue = createQueue(quirks.faultOf)

  const migrateUnderLock = async (): Promise<void> => {
    const lock = quirks.migrationLock(names)
    if (lock.transactional) {
      await again(() =>
        once(function* () {
          if (lock.take !== undefined) yield lock.take
          yield* migrationSteps(quirks, names)
        }),
      )
      return
    }
    // Each of its statements can run again, so if a process dies halfway, the next process does the rest.
    await again(() =>
      db.connection().execute(async (connection) => {
        if (lock.take !== undefined) await connection.executeQuery(lock.take)
        try {
          await driveAsync(migrationSteps(quirks, names), (query) => connection.executeQuery(query))
        } finally {
          if (lock.release !== undefined) await connection.executeQuery(lock.release).catch(() => {})
        }
      }),
    )
  }

  return {
    run: <R>(query: CompiledQuery<R>) => again(() => db.executeQuery(query)),
    transaction: <T>(steps: () => Steps<T>) => queue(() => once(steps)),
    longTransaction: <T>(steps: () => Steps<T>) => persistently(quirks.faultOf, () => once(steps)),
    async migrate(): Promise<void> {
      try {
        if (await driveAsync(isUpToDate(quirks, names), (query) => again(() => db.executeQuery(query)))) return
      } catch (error) {
        const fault = quirks.faultOf(error)
        if (fault !== 'tables_missing' && fault !== 'database_missing') throw error
      }
      await migrateUnderLock()
    },
    close: async () => options.close?.(),
    find: options.find ?? (async (query) => (await promptly(quirks.faultOf, () => db.executeQuery(query))).rows),
    ...(feed === undefined ? {} : { feed: <R>(query: CompiledQuery<R>) => again(() => feed.executeQuery(query)) }),
    ...(reads === undefined ? {} : { read: <R>(query: CompiledQuery<R>) => again(() => reads.executeQuery(query)) }),
    ...(options.subscribe === undefined ? {} : { subscribe: options.subscribe }),
  }
}
