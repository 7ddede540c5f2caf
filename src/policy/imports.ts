import { InvalidInputError } from '../errors.js'
import type { TokenFormat } from '../model/format.js'
import { createImportKeys, type ImportKeys } from '../token/import-keys.js'
import { learnShape } from '../token/redact.js'
import { secretText } from './option-kinds.js'
import { listOf, type OptionReader, objectOf, passing } from './option-reader.js'

const MAX_FORMATS = 16

/** The `imports` option: the tokens from other systems that are accepted in addition to latchkey's own, once they are imported. */
export type ImportsOptions = {
  /**
   * At least 32 characters. The IDs and digests of imported tokens are derived from it. Keep it secret, and do not change it while such tokens are in
   * use: with a different key, none of them is found.
   */
  readonly key: string
  /**
   * Their formats, created with `latchkey/import`, at most 16. A credential that matches several formats is looked up in this order; latchkey's own
   * format always comes first.
   */
  readonly formats: readonly TokenFormat[]
}

/** The option in normalized form. */
export type Imports = {
  readonly keys: ImportKeys
  readonly formats: readonly TokenFormat[]
}

const NAME = /^[a-z][a-z0-9_-]{0,31}$/
// RFC 9110 §11.1: auth-scheme = token
const SCHEME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/
const OURS: ReadonlySet<string> = new Set(['bearer', 'basic'])

const FORMAT = 'must be a format created with latchkey/import'

/** Reads the option without comparing its formats with each other. */
export const importsShape: OptionReader<ImportsOptions> = objectOf(
  {
    key: secretText,
    formats: listOf(passing<TokenFormat>(isFormat, FORMAT), {
      error: 'must be a list of formats',
      min: 1,
      max: MAX_FORMATS,
      range: `must be a list of 1 to ${MAX_FORMATS} formats`,
    }),
  },
  { error: 'must be { key, formats }' },
)

/**
 * Reads the `imports` option.
 *
 * @throws InvalidInputError `invalid_input`, if two formats have the same name: records could not distinguish them
 */
export function readImports({ key, formats }: ImportsOptions, prefix: string): Imports {
  const names = formats.map(({ name }) => name)
  const twice = names.findIndex((name, at) => names.indexOf(name) !== at)
  if (twice !== -1) throw new InvalidInputError(['imports', 'formats', twice], 'has the same name as another format: use a different name')
  for (const { distinct, shape } of formats) if (distinct === true && shape !== undefined) learnShape(shape)
  return Object.freeze({ keys: createImportKeys(key, prefix), formats: Object.freeze(formats.map((each) => Object.freeze({ ...each }))) })
}

/** Returns whether this format is no longer accepted. If the clock is invalid, no format with an `until` is accepted. */
export function hasEnded({ until }: TokenFormat, now: number): boolean {
  return until !== undefined && !(now < until)
}

/** Returns the format that a token was imported in, if this instance has it, whether or not it has ended. */
export function formatOf(imports: Imports | undefined, importedFrom: string | undefined): TokenFormat | undefined {
  return importedFrom === undefined ? undefined : imports?.formats.find(({ name }) => name === importedFrom)
}

/**
 * Returns when a token ends because of the format that it was imported in; `undefined` if never. A service that only follows credentials derived from such
 * tokens does not need to know their formats.
 */
export function endOfFormat(imports: Imports | undefined, importedFrom: string | undefined): number | undefined {
  return formatOf(imports, importedFrom)?.until
}

/** Returns whether a token has ended because the format that it was imported in has ended. */
export function endedWithFormat(imports: Imports | undefined, importedFrom: string | undefined, now: number): boolean {
  const format = formatOf(imports, importedFrom)
  return format !== undefined && hasEnded(format, now)
}

/** For each record with a secret that was imported in several formats, the instant at which the first of the other records expires. */
const endsOfOthers: WeakMap<object, number> = new WeakMap()

/** Sets the expiries of the other records with the same secret. Everything derived from this record also ends at the first of them. */
export function endWithOthers(record: object, expiries: readonly (number | undefined)[]): void {
  const ends = expiries.filter((end) => end !== undefined)
  if (ends.length > 0) endsOfOthers.set(record, Math.min(...ends))
}

/** Returns when the first of the other records with the same secret expires; `undefined` if never. */
export function endOfOthers(record: object): number | undefined {
  return endsOfOthers.get(record)
}

function isFormat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { name, until, scheme, shape, distinct, read, row, verify } = value as { readonly [K in keyof TokenFormat]?: unknown }
  return (
    typeof name === 'string' &&
    NAME.test(name) &&
    (until === undefined || Number.isFinite(until)) &&
    (scheme === undefined || (typeof scheme === 'string' && SCHEME.test(scheme) && !OURS.has(scheme.toLowerCase()))) &&
    (shape === undefined || isExpression(shape)) &&
    (distinct === undefined || (distinct === true && isExpression(shape))) &&
    typeof read === 'function' &&
    typeof row === 'function' &&
    (verify === undefined || typeof verify === 'function')
  )
}

function isExpression(value: unknown): boolean {
  try {
    return typeof value === 'string' && value !== '' && !new RegExp(value).test('')
  } catch {
    return false
  }
}
