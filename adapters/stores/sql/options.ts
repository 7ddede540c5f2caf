import { InvalidInputError } from '../../../src/errors.js'
import { emitWarning, type TransportWarning } from '../lib/transport.js'

/** Refuses options that are none: a misspelt one would be ignored in silence. */
export const knownOptions = (of: string, options: object, known: readonly string[]): void => {
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

/** Checks the scheme of a connection string. What it says is never repeated: it holds a password. */
export const readUrl = (url: unknown, schemes: readonly string[]): string => {
  const examples = schemes.map((scheme) => `${scheme}//`).join(' or ')
  if (typeof url !== 'string' || !URL.canParse(url) || !schemes.includes(new URL(url).protocol)) {
    throw new InvalidInputError('url', `must be a connection string that begins with ${examples}`)
  }
  return url
}

/** Whom to warn. */
export const readWarn = (onWarning: unknown): ((warning: TransportWarning) => void) => {
  if (onWarning === undefined) return emitWarning
  if (typeof onWarning !== 'function') throw new InvalidInputError('onWarning', 'must be a function')
  return onWarning as (warning: TransportWarning) => void
}
