import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { StoreUnavailableError } from '../../../../src/errors.js'
import { advised } from '../../../../src/store/fault-places.js'
import { exported, isMissing, notInstalled } from '../../lib/package.js'
import { type NodeDatabase, type SqliteHandle, type SyncDatabase, sqliteHandle } from './sqlite-handle.js'

type Constructor = new (path: string) => SyncDatabase | NodeDatabase

type Builtins = { getBuiltinModule?(id: string): unknown; readonly versions: { readonly node?: string } }

/** `node:sqlite` needs no flag since Node 22.13. The check for it must not import it, because it may be missing. */
const builtIn = (): Constructor | undefined => {
  const module = (process as Builtins).getBuiltinModule?.('node:sqlite') as { readonly DatabaseSync?: Constructor } | undefined
  return module?.DatabaseSync
}

const absent = (name: string, error: unknown): undefined => {
  if (isMissing(error)) return undefined
  const message = `sqlite store: the package ${name} is installed but does not load on this machine: reinstall it`
  throw advised(new StoreUnavailableError(message, error))
}

const loadLibsql = async (): Promise<Constructor | undefined> => {
  try {
    return exported(await import('libsql')) as Constructor
  } catch (error) {
    return absent('libsql', error)
  }
}

const loadBetterSqlite = async (): Promise<Constructor | undefined> => {
  try {
    return exported(await import('better-sqlite3')) as Constructor
  } catch (error) {
    return absent('better-sqlite3', error)
  }
}

const LOADERS: { readonly [Name in SqliteDriver]: () => Constructor | undefined | Promise<Constructor | undefined> } = {
  'node:sqlite': builtIn,
  libsql: loadLibsql,
  'better-sqlite3': loadBetterSqlite,
}

/** The drivers that can open a path. */
export type SqliteDriver = 'node:sqlite' | 'libsql' | 'better-sqlite3'

const NONE = 'neither libsql nor better-sqlite3 is installed, and this version of Node has no node:sqlite'
const NOT_BUILT_IN = 'this version of Node has no node:sqlite: use Node 22.13 or newer, or omit the driver option'

const noDriver = (wanted: SqliteDriver | undefined): StoreUnavailableError => {
  if (wanted === undefined) return notInstalled('sqlite', NONE, 'libsql')
  if (wanted === 'node:sqlite') return advised(new StoreUnavailableError(`sqlite store: ${NOT_BUILT_IN}`))
  return notInstalled('sqlite', `${wanted} is not installed`, wanted)
}

/** Finds the first driver that is installed and loads. */
export const findDriver = async (wanted?: SqliteDriver): Promise<Constructor> => {
  let broken: unknown
  for (const name of wanted === undefined ? (['node:sqlite', 'libsql', 'better-sqlite3'] as const) : [wanted]) {
    try {
      const driver = await LOADERS[name]()
      if (driver !== undefined) return driver
    } catch (error) {
      broken ??= error
    }
  }
  if (broken !== undefined) throw broken
  throw noDriver(wanted)
}

const missing = (folder: string): StoreUnavailableError =>
  advised(new StoreUnavailableError(`sqlite store: the folder ${folder} does not exist: create it first`))

/** Creates the file for its owner only, before a driver creates it for everyone. SQLite gives its -wal and -shm files the same mode. */
const createFile = async (path: string): Promise<void> => {
  const folder = dirname(path)
  try {
    if (!(await stat(folder)).isDirectory()) throw missing(folder)
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    await file.close()
  } catch (error) {
    const { code = 'unknown' } = error as { readonly code?: string }
    if (code === 'store_unavailable') throw error
    if (code === 'ENOENT' || code === 'ENOTDIR') throw missing(folder)
    const help =
      code === 'EISDIR' ? 'it is a folder: pass the path of a file' : `give this process permission to read and write it (${code})`
    throw advised(new StoreUnavailableError(`sqlite store: cannot open ${path}: ${help}`))
  }
}

/** Opens a file so that a commit survives a power cut, several processes can share it, and nothing waits inside SQLite. */
export const openSqlite = async (path: string, driver?: SqliteDriver): Promise<SqliteHandle> => {
  const Driver = await findDriver(driver)
  const memory = path === ':memory:'
  const absolute = memory ? path : resolve(path)
  if (!memory) await createFile(absolute)
  const handle = sqliteHandle(new Driver(absolute))
  // The engine waits instead, without blocking the thread.
  handle.exec('pragma busy_timeout = 0')
  return handle
}

/** Settings that are applied once per file, while no other process uses it. */
export const SQLITE_PRAGMAS = ['pragma journal_mode = wal', 'pragma synchronous = full'] as const
