import { InvalidInputError } from '../../../src/errors.js'
import { emitWarning, type TransportWarning } from '../lib/transport.js'

/** Refuses options that are none: a misspelt one would be ignored in silence. */
export const knownOptions = (of: string, options: object, known: readonly string[]): void => {
  // The text is a connection string, most likely, and holds a password: it is not repeated.
  if (typeof options === 'string') throw new InvalidInputError('options', `${of} takes an object, not text: ${of}({ url })`)
  if (typeof options !== 'object' || options === null) throw new InvalidInputError('options', `${of} takes an object`)
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw new InvalidInputError(key, `is not an option of ${of}: ${known.join(', ')} are`)
  }
}

/** Exactly one of these must be given. */
export const oneOf = (given: { readonly [name: string]: unknown }): void => {
  const names = Object.keys(given)
  if (names.filter((name) => given[name] !== undefined).length !== 1) {
    throw new InvalidInputError(names[0] ?? 'options', `give exactly one of ${names.join(', ')}`)
  }
}

/** Are the user and password written so that a driver can read them? */
const areDecodable = ({ username, password }: URL): boolean => {
  try {
    decodeURIComponent(username)
    decodeURIComponent(password)
    return true
  } catch {
    return false
  }
}

/** Checks the scheme of a connection string. What it says is never repeated: it holds a password. */
const readParsed = (text: string, schemes: readonly string[]): void => {
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  if (parsed === undefined || !schemes.includes(parsed.protocol)) {
    const examples = schemes.map((scheme) => `${scheme}//`).join(' or ')
    throw new InvalidInputError('url', `must be a connection string that begins with ${examples}`)
  }
  if (!areDecodable(parsed)) throw new InvalidInputError('url', 'must have % only where it encodes a character, in user and password too')
}

/**
 * A connection string as `pg` takes it: a URL, also without a host (`postgres://user@/app?host=/run/postgresql`), the folder of a socket
 * (`/run/postgresql app`), or `socket:/run/postgresql?db=app`.
 *
 * @throws `invalid_input`
 */
export const readPostgresUrl = (url: unknown): string => {
  if (typeof url === 'string' && url.startsWith('/')) return url
  const text = typeof url === 'string' ? url : ''
  // As the driver does: a URL with a user must have a host, except in this form.
  readParsed(URL.canParse(text) ? text : text.replace('@/', '@socket/'), ['postgres:', 'postgresql:', 'socket:'])
  return text
}

/**
 * A connection string as `mysql2` takes it; `socketPath` among its parameters leads to a socket.
 *
 * @throws `invalid_input`
 */
export const readMysqlUrl = (url: unknown): string => {
  const text = typeof url === 'string' ? url : ''
  readParsed(text, ['mysql:', 'mysql2:', 'mariadb:'])
  return text
}

/** Whom to warn. */
export const readWarn = (onWarning: unknown): ((warning: TransportWarning) => void) => {
  if (onWarning === undefined) return emitWarning
  if (typeof onWarning !== 'function') throw new InvalidInputError('onWarning', 'must be a function')
  return onWarning as (warning: TransportWarning) => void
}
