import { InvalidInputError } from '../../../src/errors.js'
import { callback, wholeNumber } from '../../../src/policy/option-kinds.js'
import { type OptionReader, readBy } from '../../../src/policy/option-reader.js'
import { whyUnusable } from '../lib/connection-string.js'
import { handle } from '../lib/read-options.js'
import { emitWarning, type TransportWarning } from '../lib/transport.js'
import type { KyselyHandle } from './kysely-engine.js'
import { tablePrefix } from './schema/table-names.js'

/** Returns whether this is a Kysely instance. */
export const isKysely = (value: object): boolean => 'executeQuery' in value && 'withoutPlugins' in value

/** A Kysely instance that the host owns. */
export const kyselyHandle: OptionReader<KyselyHandle> = handle(isKysely, 'must be a Kysely instance')

/** The options that the stores of Postgres and MySQL share. */
export const serverShape: {
  readonly kysely: OptionReader<KyselyHandle | undefined>
  readonly poolSize: OptionReader<number>
  readonly tablePrefix: OptionReader<string | undefined>
  readonly onWarning: OptionReader<(warning: TransportWarning) => void>
} = {
  kysely: kyselyHandle.optional(),
  poolSize: wholeNumber(1, 10_000).default(10),
  tablePrefix: tablePrefix.optional(),
  onWarning: callback<(warning: TransportWarning) => void>().default(emitWarning),
}

const refuseUnusable = (text: string, schemes: readonly string[]): void => {
  const why = whyUnusable(text, schemes)
  if (why !== undefined) throw new InvalidInputError([], why)
}

/**
 * Reads a connection string in a form that `pg` accepts: a URL, with or without a host (`postgres://user@/app?host=/run/postgresql`), the folder of a socket
 * (`/run/postgresql app`), or `socket:/run/postgresql?db=app`.
 *
 * @throws `invalid_input`
 */
const readPostgresUrl = (url: unknown): string => {
  if (typeof url === 'string' && url.startsWith('/')) return url
  const text = typeof url === 'string' ? url : ''
  // Same rule as the driver: a URL with a user must have a host, except in this form.
  refuseUnusable(URL.canParse(text) ? text : text.replace('@/', '@socket/'), ['postgres:', 'postgresql:', 'socket:'])
  return text
}

/** The `url` option of the Postgres store. */
export const postgresUrl: OptionReader<string> = readBy(readPostgresUrl)

/**
 * Reads a connection string in the form that `mysql2` accepts. A `socketPath` parameter connects through a socket.
 *
 * @throws `invalid_input`
 */
const readMysqlUrl = (url: unknown): string => {
  const text = typeof url === 'string' ? url : ''
  refuseUnusable(text, ['mysql:', 'mysql2:', 'mariadb:'])
  return text
}

/** The `url` option of the MySQL store. */
export const mysqlUrl: OptionReader<string> = readBy(readMysqlUrl)
