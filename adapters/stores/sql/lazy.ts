import type { MaybePromise } from '../../../src/model/json.js'
import type { TokenStore } from '../../../src/store/port.js'
import { loadFailure } from '../lib/package.js'
import { reached } from './queries/feed-position.js'
import { type MigrationSqlOptions, migrationSql, type SqlDialect } from './schema/migration-sql.js'
import type { OpenStore } from './store.js'

/** An open store: its verbs, and a function that classifies what its driver throws. */
export type Opened = { readonly store: OpenStore; unavailable(error: unknown): Error }

/** A token store on SQL. It always has `migrate()` and `close()`. */
export type SqlStore = TokenStore & {
  migrate(): MaybePromise<void>
  /** Prints the SQL that `migrate()` would run on an empty database, using this store's table names. Opens no connection. */
  migrationSql(): Promise<string>
  close(): MaybePromise<void>
}

/** Input of `lazyStore`. */
export type Lazy = {
  readonly name: SqlDialect
  readonly tables: MigrationSqlOptions
  /** The packages to install if Kysely is missing: `kysely pg`. */
  readonly packages: string
  open(): Promise<Opened>
}

/**
 * Creates a store that opens at its first call, once for all simultaneous calls, and again after `close()` or a failure.
 *
 * Nothing is imported until then, so only applications that use a store need its packages.
 */
export const lazyStore = ({ name, tables, packages, open }: Lazy): Omit<SqlStore, 'subscribe'> & { opened(): Promise<Opened> } => {
  let opening: Promise<Opened> | undefined
  const opened = (): Promise<Opened> => {
    if (opening !== undefined) return opening
    const mine = open().catch((error: unknown) => {
      if (opening === mine) opening = undefined
      throw loadFailure(name, 'kysely', error, packages) ?? error
    })
    opening = mine
    return mine
  }
  const call = async <T>(work: (store: OpenStore) => T | Promise<T>): Promise<T> => {
    const { store, unavailable } = await opened()
    try {
      return await work(store)
    } catch (error) {
      throw unavailable(error)
    }
  }
  return {
    name,
    opened,
    find: (ids, age) => call((store) => store.find(ids, age)),
    list: (query) => call((store) => store.list(query)),
    distinct: (query) => call((store) => store.distinct(query)),
    commit: (change) => call((store) => store.commit(change)),
    commitIn: (transaction, addition) => call((store) => store.commitIn(transaction, addition)),
    placeEvents: (prefix, tokenIds) => call((store) => store.placeEvents(prefix, tokenIds)),
    revokeWhere: (filter, stamp, event) => call((store) => store.revokeWhere(filter, stamp, event)),
    events: (query) => call((store) => store.events(query)),
    changes: (after, limit) => call((store) => store.changes(after, limit)),
    recordUsage: (batch) => call((store) => store.recordUsage(batch)),
    usage: (query) => call((store) => store.usage(query)),
    renewLease: (lease) => call((store) => store.renewLease(lease)),
    renewLeases: (leases) => call((store) => store.renewLeases(leases)),
    leases: (now) => call((store) => store.leases(now)),
    consumers: (prefix) => call((store) => store.consumers(prefix)),
    saveConsumer: (state) => call((store) => store.saveConsumer(state)),
    removeConsumer: (consumer) => call((store) => store.removeConsumer(consumer)),
    seals: (query) => call((store) => store.seals(query)),
    saveSeal: (seal) => call((store) => store.saveSeal(seal)),
    removeEvents: (prefix, ids) => call((store) => store.removeEvents(prefix, ids)),
    trimUsage: (trim) => call((store) => store.trimUsage(trim)),
    saveTicket: (ticket, room) => call((store) => store.saveTicket(ticket, room)),
    takeTicket: (prefix, digest) => call((store) => store.takeTicket(prefix, digest)),
    readMove: (prefix) => call((store) => store.readMove(prefix)),
    saveMove: (prefix, expected, next) => call((store) => store.saveMove(prefix, expected, next)),
    restore: (restored) => call((store) => store.restore(restored)),
    reached,
    migrate: () => call((store) => store.migrate()),
    diagnose: () => call((store) => store.diagnose()),
    migrationSql: () => migrationSql(name, tables),
    async close(): Promise<void> {
      const closing = opening
      opening = undefined
      if (closing === undefined) return
      const { store } = await closing.catch(() => ({ store: undefined }))
      await store?.close()
    },
  }
}
