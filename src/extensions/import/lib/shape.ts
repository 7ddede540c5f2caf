import { InvalidInputError } from '../../../errors.js'
import type { InstantInput } from '../../../model/record.js'
import { instant, someText, wholeNumber } from '../../../policy/option-kinds.js'
import { either, listOf, type OptionReader, string } from '../../../policy/option-reader.js'

/** What every format may be given. */
export type FormatOptions = {
  /** Names the format in records: lower-case letters, digits, `_` and `-`. Two formats of one kind need names of their own. @default the kind's */
  readonly name?: string | undefined
  /** From this instant on its tokens are refused, and what keeps removed ones from being imported again may go. @default never */
  readonly until?: InstantInput | undefined
}

/** How tokens look that a table keeps by a hash alone. At least one of them, so that not every text is looked up. */
export type ShapeOptions = {
  /** The text that all of them begin with, such as `sk_live_`. */
  readonly prefix?: string | undefined
  /** How many characters they have, prefix included, or at least and at most. */
  readonly length?: number | readonly [min: number, max: number] | undefined
}

/** Tokens are not longer. */
const LONGEST = 512

/** The options of every format. */
export const formatFields: {
  readonly name: OptionReader<string | undefined>
  readonly until: OptionReader<number | undefined>
} = { name: someText('must be a name').optional(), until: instant.optional() }

const VISIBLE = /^[!#-+\--~]{1,128}$/
const LENGTH = `must be a number of characters up to ${LONGEST}, or [min, max]`
const count = wholeNumber(1, LONGEST)

/** The options of formats whose tokens have a shape of the host's. */
export const shapeFields: {
  readonly prefix: OptionReader<string | undefined>
  readonly length: OptionReader<number | readonly number[] | undefined>
} = {
  prefix: string('must be text')
    .and((value) => VISIBLE.test(value), 'must be visible ASCII characters without quotes and commas')
    .optional(),
  length: either([count, listOf(count, { min: 2, max: 2 })], LENGTH).optional(),
}

/** A shape, once it was read. */
export type Shape = {
  readonly prefix: string
  readonly matches: (credential: string) => boolean
  /** The same as a regular expression. Looser, so that a token that a field cut is found as well. */
  readonly expression: string
}

/** From so many characters on, a text is taken for a token that was cut. */
const ENOUGH = 64
/** Where a format names no length, so many behind its prefix are no word. */
const FEW = 12

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
    throw new InvalidInputError('prefix', 'or length is required: without them, every unknown text would be looked up as a token')
  }
  const [min = 1, max = LONGEST] = length === undefined ? [prefix.length + 1] : typeof length === 'number' ? [length, length] : length
  if (min > max) throw new InvalidInputError('length', 'must be [least, most]')
  const least = length === undefined ? prefix.length + FEW : Math.min(min, ENOUGH)
  return {
    prefix,
    expression: `${prefix.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}[!#-+\\--~]{${Math.max(1, least - prefix.length)},}`,
    matches: (credential) =>
      credential.length >= min && credential.length <= max && credential.length > prefix.length && credential.startsWith(prefix),
  }
}
