import { FIELD_ROWS, type Field, type FieldKind, type Fields } from '../../../../src/model/fields.js'

/**
 * The kinds of columns: `word` and `id` are short keys, `key` is a name from outside (at most 255 characters if a server limits the size of an index),
 * `text` is any text, `int` has 64 bits.
 */
export type ColumnKind = 'id' | 'word' | 'key' | 'text' | 'int'

/** An instant or a counter as drivers return it: some return 64-bit integers as strings or bigints. */
export type Wide = number | string | bigint

/** The column type of each kind of field: lists and objects are JSON text, true is 1. */
type Cells = {
  id: string
  word: string
  text: string
  count: Wide
  instant: Wide
  duration: Wide
  grants: string
  resources: string
  networks: string
  json: string
  flag: Wide
}

type Snake<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${Snake<Rest>}`
  : ''

type Cell<F extends Field> = Cells[F['kind']] | (F extends { required: true } ? never : null)

/** One token. */
export type TokenRow = {
  [Name in keyof Fields as Fields[Name] extends { beside: true } ? never : Snake<Name>]: Cell<Fields[Name]>
}

/** The name of a field's column. */
export type TokenColumn = keyof TokenRow

/** A field with its column. */
export type FieldColumn = {
  readonly field: string
  readonly column: TokenColumn
  readonly kind: FieldKind
  readonly required: boolean
  readonly since: number
  readonly type: ColumnKind
}

const TYPES: { readonly [Kind in FieldKind]: ColumnKind } = {
  id: 'id',
  word: 'word',
  text: 'text',
  count: 'int',
  instant: 'int',
  duration: 'int',
  grants: 'text',
  resources: 'text',
  networks: 'text',
  json: 'text',
  flag: 'int',
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const columnOf = (name: string, { kind, required, since, indexed }: Field): FieldColumn => {
  // Existing rows of the earlier schema have no value for it.
  if (required && since > 1) throw new Error(`the field ${name} came after the first schema, so it cannot be required`)
  return {
    field: name,
    column: snakeCase(name) as TokenColumn,
    kind,
    required: required === true,
    since,
    type: indexed ? 'key' : TYPES[kind],
  }
}

/** The columns of tokens that contain fields, in the order of the table of fields. */
export const FIELD_COLUMNS: readonly FieldColumn[] = FIELD_ROWS.filter(([, field]) => field.beside === undefined).map(([name, field]) =>
  columnOf(name, field),
)

/** The columns that `find` reads. */
export const TOKEN_COLUMNS: readonly TokenColumn[] = FIELD_COLUMNS.map(({ column }) => column)
