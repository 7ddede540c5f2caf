import { isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../../../src/errors.js'
import type { Fault } from './quirks.js'

const messages: { readonly [Kind in Fault]: string } = {
  duplicate: 'a row with the same key exists already',
  contention: 'other transactions were in the way, again and again: try again',
  connection: 'the database cannot be reached: check that it runs, and the address in the options',
  encryption:
    'the encrypted connection failed: check the certificate of the server, and whether it offers or demands TLS, against the connection string',
  authentication: 'the database refused the login: check user and password in the options, and whether it demands TLS',
  tables_missing: 'its tables are missing or of another version: call migrate(), or run the SQL that migrationSql() prints',
  database_missing: 'the database or schema does not exist: create it first',
  read_only: 'the database is read-only: point the options at the primary, or make the file writable',
  full: 'the disk of the database is full: free some space',
  locked: 'something holds a lock on the database: find which transaction stays open',
  permission: 'the database user may not do this: grant it the rights that the documentation lists',
  damaged: 'the database is damaged or is no database: restore it from a backup',
  driver_missing: 'its driver is not installed',
  closed: 'the connection that it was given is closed: give it one that stays open',
  unknown: 'the database failed',
}

/** The parts of a driver's error that may be shown: its class and code. Its message may quote values, addresses and passwords. */
const cleaned = (error: unknown): Error => {
  const { name, code, errno } = (typeof error === 'object' && error !== null ? error : {}) as {
    readonly name?: unknown
    readonly code?: unknown
    readonly errno?: unknown
  }
  const word = [name === 'Error' ? undefined : name, code, errno].filter(
    (part) => typeof part === 'number' || (typeof part === 'string' && /^[\w.-]{1,64}$/.test(part)),
  )
  return new Error(word.length === 0 ? 'the driver gave no code' : word.join(' '))
}

/** Maps a driver's error to latchkey's: one class, a message that says what to do, and nothing that was in the query. */
export const unavailable = (store: string, faultOf: (error: unknown) => Fault, error: unknown): LatchkeyError => {
  if (isLatchkeyError(error)) return error
  return new StoreUnavailableError(`${store} store: ${messages[faultOf(error)]}`, cleaned(error))
}
