import { InvalidInputError } from '../errors.js'
import type { TokenFormat } from '../model/format.js'
import { createImportKeys, type ImportKeys } from '../token/import-keys.js'
import { secretText } from './option-kinds.js'
import { listOf, type OptionReader, objectOf, passing } from './option-reader.js'

const MAX_FORMATS = 16

/** The `imports` option: which tokens of other systems are accepted beside our own, once they are imported. */
export type ImportsOptions = {
  /**
   * At least 32 characters. The ids of imported tokens, and what is kept of them, are derived from it: keep it secret and unchanged for as long as
   * such tokens are in use, since with another key none of them is found.
   */
  readonly key: string
  /** Their formats, made by `latchkey/import`, at most 16. A credential that may be of several is looked for in this order; our own format always comes first. */
  readonly formats: readonly TokenFormat[]
}

/** The option as the rest of the library reads it. */
export type Imports = {
  readonly keys: ImportKeys
  readonly formats: readonly TokenFormat[]
}

const NAME = /^[a-z][a-z0-9_-]{0,31}$/
// RFC 9110 §11.1: auth-scheme = token
const SCHEME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/
const OURS: ReadonlySet<string> = new Set(['bearer', 'basic'])

const FORMAT = 'must be a format that a function of latchkey/import made'

/** The option, before its formats are looked at together. */
export const importsShape: OptionReader<ImportsOptions> = objectOf(
  {
    key: secretText,
    formats: listOf(passing<TokenFormat>(isFormat, FORMAT), {
      error: 'must be a list of formats',
      min: 1,
      max: MAX_FORMATS,
      range: `must name a format, and at most ${MAX_FORMATS}`,
    }),
  },
  { error: 'must be { key, formats }' },
)

/**
 * Reads the option `imports`.
 *
 * @throws InvalidInputError `invalid_input`, where two formats have one name: records could not tell them apart
 */
export function readImports({ key, formats }: ImportsOptions, prefix: string): Imports {
  const names = formats.map(({ name }) => name)
  const twice = names.findIndex((name, at) => names.indexOf(name) !== at)
  if (twice !== -1) throw new InvalidInputError(['imports', 'formats', twice], 'has the name of another format: give it a different name')
  return Object.freeze({ keys: createImportKeys(key, prefix), formats: Object.freeze(formats.map((each) => Object.freeze({ ...each }))) })
}

function isFormat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { name, until, scheme, shape, read, row, verify } = value as { readonly [K in keyof TokenFormat]?: unknown }
  return (
    typeof name === 'string' &&
    NAME.test(name) &&
    (until === undefined || Number.isFinite(until)) &&
    (scheme === undefined || (typeof scheme === 'string' && SCHEME.test(scheme) && !OURS.has(scheme.toLowerCase()))) &&
    (shape === undefined || isExpression(shape)) &&
    typeof read === 'function' &&
    typeof row === 'function' &&
    (verify === undefined || typeof verify === 'function')
  )
}

function isExpression(value: unknown): boolean {
  try {
    return typeof value === 'string' && value !== '' && new RegExp(value) instanceof RegExp
  } catch {
    return false
  }
}
