import { isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../../../src/errors.js'
import { ConnectionLostError } from '../../../src/store/deadline.js'
import { advisedBy } from '../../../src/store/fault-places.js'
import type { Fault } from './quirks.js'

const messages: { readonly [Kind in Fault]: string } = {
  duplicate: 'a row with the same key already exists',
  contention: 'other transactions kept conflicting with this one: retry',
  connection: 'the database cannot be reached: check that it is running and that the address in the options is correct',
  encryption:
    "the encrypted connection failed: check the server's certificate, and whether the server's TLS settings match the connection string",
  authentication: 'the database refused the login: check the user and password in the options, and whether the database requires TLS',
  tables_missing: 'its tables are missing or belong to a different version: call migrate(), or run the SQL that migrationSql() prints',
  database_missing: 'the database or schema does not exist: create it first',
  read_only: 'the database is read-only: point the options at the primary, or make the file writable',
  full: 'the disk of the database is full: free some space',
  locked: 'the database is locked: find the transaction that stays open',
  permission: 'the database user lacks a permission: grant it the rights that the documentation lists',
  damaged: 'the file is damaged or not a database: restore it from a backup',
  closed: 'the connection passed to it is closed: pass one that stays open',
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
  return new Error(word.length === 0 ? 'the driver reported no code' : word.join(' '))
}

/** Maps a driver's error to latchkey's: one class, a message that says what to do, and nothing that was in the query. */
export const unavailable = (store: string, faultOf: (error: unknown) => Fault, error: unknown): LatchkeyError => {
  if (isLatchkeyError(error)) return error
  const fault = faultOf(error)
  const Failure = fault === 'connection' ? ConnectionLostError : StoreUnavailableError
  return advisedBy(messages[fault], new Failure(`${store} store: ${messages[fault]}`, cleaned(error)))
}
