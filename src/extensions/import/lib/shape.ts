import { InvalidInputError } from '../../../errors.js'
import type { TokenFormat } from '../../../model/format.js'
import type { InstantInput } from '../../../model/record.js'
import { instant, someText, wholeNumber } from '../../../policy/option-kinds.js'
import { either, listOf, type OptionReader, string } from '../../../policy/option-reader.js'

/** Options that every format accepts. */
export type FormatOptions = {
  /**
   * Names the format in records: lowercase letters, digits, `_` and `-`. Two formats of the same kind need different names. @default the name of the
   * kind
   */
  readonly name?: string | undefined
  /**
   * From this instant on, its tokens are refused, and the markers that keep removed tokens from being imported again may be deleted. @default never
   */
  readonly until?: InstantInput | undefined
}

/** The shape of tokens that a table stores only as hashes. Set at least one of the two, so that not every text is looked up. */
export type ShapeOptions = {
  /** The text that all tokens start with, such as `sk_live_`. */
  readonly prefix?: string | undefined
  /** Their length in characters, prefix included, or their minimum and maximum. */
  readonly length?: number | readonly [min: number, max: number] | undefined
}

/** Maximum length of a token. */
const LONGEST = 512

/** The options of every format. */
export const formatFields: {
  readonly name: OptionReader<string | undefined>
  readonly until: OptionReader<number | undefined>
} = { name: someText('must be a name').optional(), until: instant.optional() }

const VISIBLE = /^[!#-+\--~]{1,128}$/
const LENGTH = `must be a number of characters up to ${LONGEST}, or [min, max]`
const count = wholeNumber(1, LONGEST)

/** The options of formats whose tokens have a custom shape. */
export const shapeFields: {
  readonly prefix: OptionReader<string | undefined>
  readonly length: OptionReader<number | readonly number[] | undefined>
} = {
  prefix: string('must be text')
    .and((value) => VISIBLE.test(value), 'must be visible ASCII characters without quotes or commas')
    .optional(),
  length: either([count, listOf(count, { min: 2, max: 2 })], LENGTH).optional(),
}

/** A validated shape. */
export type Shape = {
  readonly prefix: string
  readonly matches: (credential: string) => boolean
  /** The shape as a regular expression. It is looser, so it also matches a token that was truncated. */
  readonly expression: string
  /** Set if no other text has this shape. */
  readonly distinct?: true
}

/** Escapes text for a regular expression. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/** Returns the parts of a format that describe its shape. */
export function shapeOf({ expression, distinct }: Shape): Pick<TokenFormat, 'shape' | 'distinct'> {
  return { shape: expression, ...(distinct && { distinct }) }
}

/** Text with at least this many characters is treated as a truncated token. */
const ENOUGH = 64
/** For a format without a length: text with this many characters after the prefix is not an ordinary word. */
const FEW = 12
/** A prefix that does not start an ordinary word: `sk_`, but not `key`. */
const TELLING = /^(?=.*[^A-Za-z]).{3,}/

/**
 * Reads the shape of tokens.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readShapeOf({
  prefix = '',
  length,
}: {
  prefix?: string | undefined
  length?: number | readonly number[] | undefined
}): Shape {
  if (prefix === '' && length === undefined) {
    throw new InvalidInputError(
      'prefix',
      'is required unless length is set: without either, every unknown text would be looked up as a token',
    )
  }
  const [min = 1, max = LONGEST] = length === undefined ? [prefix.length + 1] : typeof length === 'number' ? [length, length] : length
  if (min > max) throw new InvalidInputError('length', 'must be [min, max], with the smaller number first')
  // With too few characters after the prefix, a string cannot be recognized as a secret.
  const distinct = TELLING.test(prefix) && (length === undefined || min - prefix.length >= FEW)
  const least = length === undefined ? prefix.length + FEW : Math.min(min, ENOUGH)
  return {
    prefix,
    ...(distinct && { distinct }),
    expression: `${escaped(prefix)}[!#-+\\--~]{${Math.max(1, least - prefix.length)},}`,
    matches: (credential) =>
      credential.length >= min && credential.length <= max && credential.length > prefix.length && credential.startsWith(prefix),
  }
}
