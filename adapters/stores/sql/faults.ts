import { isIP } from 'node:net'
import { isErrorLike, isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../../../src/errors.js'
import { ConnectionLostError } from '../../../src/store/deadline.js'
import { advisedBy } from '../../../src/store/fault-places.js'
import type { Fault } from './quirks.js'

const messages: { readonly [Kind in Fault]: string } = {
  duplicate: 'a row with the same key already exists',
  referenced:
    'a row of another table refers to a token that would be removed: delete that row first, or declare its foreign key with ON DELETE CASCADE',
  contention: 'other transactions kept conflicting with this one: retry',
  waited: 'another transaction did not release its lock in time: find the transaction that stays open',
  connection: 'the database cannot be reached: check that it is running and that the address in the options is correct',
  encryption:
    "the encrypted connection failed: check the server's certificate, and whether the server's TLS settings match the connection string",
  authentication: 'the database refused the login: check the user and password in the options, and whether the database requires TLS',
  tables_missing: 'its tables are missing or belong to a different version: call migrate(), or run the SQL that migrationSql() prints',
  database_missing: 'the database does not exist: create it, or correct its name in the options',
  read_only: 'the database is read-only: point the options at the primary, or make the file writable',
  full: "the database's disk is full: free some space",
  locked: 'the database is locked: find the transaction that stays open',
  permission: 'the database user lacks a permission: grant it the permissions that the documentation lists',
  damaged: 'the file is damaged or not a database: restore it from a backup',
  closed: 'the connection passed to it is closed: pass one that stays open',
  unknown: 'the database failed',
}

const UNUSED =
  'the database cannot be reached: nothing listens at its address; check the host and port in the options, and make sure that it is running'
const UNRESOLVED = 'the database cannot be reached: its host name cannot be resolved; check the spelling in the options'
const CROWDED = 'the database cannot be reached: it has no free connections; lower poolSize, or raise its connection limit'

/** More precise messages, by the driver's code. */
const precise: ReadonlyMap<unknown, string> = new Map([
  ['ECONNREFUSED', UNUSED],
  ['ENOENT', UNUSED],
  ['ENOTFOUND', UNRESOLVED],
  ['EAI_AGAIN', UNRESOLVED],
  ['53300', CROWDED],
  ['ER_CON_COUNT_ERROR', CROWDED],
  ['ER_TOO_MANY_USER_CONNECTIONS', CROWDED],
  ['3F000', 'the schema does not exist: create it, or correct the schema option; without the option, correct the search path'],
  ['ER_NO_DB_ERROR', 'no database is selected: add its name to the URL, as in mysql://user:password@host/database, or to the pool'],
  ['ER_DBACCESS_DENIED_ERROR', 'the database user cannot use this database: check its name, or grant the user permissions on it'],
])

const messageOf = (fault: Fault, { code }: Shown): string =>
  (fault === 'connection' || fault === 'database_missing' || fault === 'permission' ? precise.get(code) : undefined) ?? messages[fault]

/** The fields that a driver's error may have. */
type Shown = { readonly [Field in 'name' | 'code' | 'errno' | 'address' | 'port']?: unknown }

const shownOf = (error: unknown): Shown => {
  const { errors } = Object(error) as { readonly errors?: unknown }
  // Node collects the attempts at several addresses of one host.
  return Object(Array.isArray(errors) && isErrorLike(errors[0]) ? errors[0] : error) as Shown
}

/** Returns the parts of a driver's error that may be shown: its class, its code and an IP address with its port. Its message may quote values and passwords. */
const cleaned = ({ name, code, errno, address, port }: Shown): Error => {
  const word = [name === 'Error' ? undefined : name, code, errno].filter(
    (part) => typeof part === 'number' || (typeof part === 'string' && /^[\w.-]{1,64}$/.test(part)),
  )
  if (typeof address === 'string' && isIP(address) !== 0 && typeof port === 'number') word.push(`${address}:${port}`)
  return new Error(word.length === 0 ? 'the driver reported no code' : word.join(' '))
}

/** Maps a driver's error to latchkey's: one class, a message that says what to do, and nothing that was in the query. */
export const unavailable = (store: string, faultOf: (error: unknown) => Fault, error: unknown): LatchkeyError => {
  if (isLatchkeyError(error)) return error
  const fault = faultOf(error)
  const Failure = fault === 'connection' ? ConnectionLostError : StoreUnavailableError
  const shown = shownOf(error)
  const message = messageOf(fault, shown)
  return advisedBy(message, new Failure(`${store} store: ${message}`, cleaned(shown)))
}
