import { isAbsolute, resolve } from 'node:path'
import { CompiledQuery, type QueryResult } from 'kysely'
import { StoreUnavailableError } from '../../../../src/errors.js'
import type { MaybePromise } from '../../../../src/model/json.js'
import { sqlOf } from '../context.js'
import type { Engine } from '../engine.js'
import { unavailable } from '../faults.js'
import { differencesOf, refuseDifferences } from '../known-values.js'
import type { KyselyHandle } from '../kysely-engine.js'
import { kyselyEngine } from '../kysely-engine.js'
import type { Opened } from '../lazy.js'
import type { Names } from '../schema/table-names.js'
import { openStore } from '../store.js'
import { setPragmas, sqliteEngine } from './sqlite-engine.js'
import { fileOf, guardFile } from './sqlite-file.js'
import { type NodeDatabase, type SyncDatabase, sqliteHandle } from './sqlite-handle.js'
import { sqliteHost } from './sqlite-host.js'
import { openSqlite, SQLITE_PRAGMAS, type SqliteDriver } from './sqlite-open.js'
import { KNOWN_VALUES, sqliteQuirks } from './sqlite-quirks.js'

/** The source to open: a path, or a database that the host opened. */
type SqliteSource =
  | { readonly path: string; readonly driver?: SqliteDriver }
  | { readonly database: SyncDatabase | NodeDatabase | KyselyHandle }

const report = (error: unknown): Error => unavailable('sqlite', sqliteQuirks.faultOf, error)

/** Forbidden settings of a database, with their messages. */
const PRAGMAS = [
  ['journal_mode', /^off$/i, 'has journal_mode off, so nothing can be rolled back: use another mode'],
  ['short_column_names', /^0$/, 'has short_column_names off, which renames columns: turn it on'],
] as const

/** Refuses a database that alters values, or that cannot roll back a transaction. */
const check = async (run: (query: CompiledQuery) => MaybePromise<QueryResult<unknown>>): Promise<void> => {
  refuseDifferences('sqlite', differencesOf((await run(KNOWN_VALUES)).rows))
  for (const [name, refused, says] of PRAGMAS) {
    const { rows } = await run(CompiledQuery.raw(`pragma ${name}`))
    const [value] = Object.values(Object(rows[0]))
    if (refused.test(String(value))) throw new StoreUnavailableError(`sqlite store: the database ${says}`)
  }
}

/** Opens the file at a path, for this store alone. */
const openPath = async (path: string, driver: SqliteDriver | undefined, names: Names, busyMs: number): Promise<Engine> => {
  const handle = await openSqlite(path, driver)
  try {
    await setPragmas(handle, SQLITE_PRAGMAS)
    return await guardFile(sqliteEngine(handle, names, { busyMs, owned: true }), resolve(path))
  } catch (error) {
    handle.close()
    throw error
  }
}

/** Checks for a function that libsql has and SQLite lacks. */
const LIBSQL: CompiledQuery = CompiledQuery.raw("select name from pragma_function_list where name = 'libsql_vector_idx' limit 1")

/**
 * Refuses Kysely over libsql on a file. libsql keeps a statement open if it found the file locked. Until that statement is closed, every read of the
 * connection sees the file as of that moment, without later revocations. Kysely prepares its statements itself, so the store cannot close them.
 */
const refuseStale = async (engine: Engine): Promise<void> => {
  const [isLibsql] = (await engine.run(LIBSQL)).rows
  if (isLibsql === undefined || (await fileOf(engine)) === undefined) return
  throw new StoreUnavailableError(
    'sqlite store: a Kysely instance over libsql may read stale data forever after the file has been locked: pass the store the libsql database itself, or its path',
  )
}

/** Opens a store on a database that the host opened. */
const openGiven = async (database: SyncDatabase | NodeDatabase | KyselyHandle, names: Names, busyMs: number): Promise<Engine> => {
  const isKysely = 'executeQuery' in database
  const engine = isKysely
    ? kyselyEngine(database, sqliteQuirks, names, {})
    : sqliteEngine(sqliteHandle(database), names, { busyMs, owned: false })
  if (isKysely) await refuseStale(engine)
  await check((query) => engine.run(query))
  return await guardFile(engine, nameOf(database))
}

/** Returns the path that was passed to better-sqlite3; the other drivers report only the target of a link. */
const nameOf = (database: object): string | undefined => {
  const name: unknown = Reflect.get(database, 'name')
  // Neither a URI nor a relative path, because the process may have changed its working directory since.
  return typeof name === 'string' && isAbsolute(name) ? name : undefined
}

/** Opens the store: the part that needs Kysely and a driver. */
export const openSqliteStore = async (source: SqliteSource, names: Names, busyMs: number): Promise<Opened> => {
  try {
    const engine =
      'path' in source ? await openPath(source.path, source.driver, names, busyMs) : await openGiven(source.database, names, busyMs)
    return { store: openStore(sqlOf(engine, sqliteQuirks, names), sqliteHost), unavailable: report }
  } catch (error) {
    throw report(error)
  }
}
