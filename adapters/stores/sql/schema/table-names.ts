import { type OptionReader, passing } from '../../../../src/policy/option-reader.js'

/** The schema of the tables, and the prefix of their names. */
export type Names = { readonly schema?: string; readonly tablePrefix: string }

const DEFAULT_TABLE_PREFIX = 'latchkey_'

/** Returns whether a name is valid in double quotes and in the dollar quotes of a migration, and short enough that Postgres does not truncate it. */
const isSchema = (name: string): boolean =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are what the pattern rejects.
  /^[^"\u0000-\u001f\u007f]+$/.test(name) &&
  name.isWellFormed() &&
  !name.includes('$latchkey$') &&
  new TextEncoder().encode(name).length <= 63

const isTablePrefix = (name: unknown): boolean => typeof name === 'string' && /^[A-Za-z_][A-Za-z0-9_]{0,31}$/.test(name)

/** The `tablePrefix` option. */
export const tablePrefix: OptionReader<string> = passing<string>(
  isTablePrefix,
  'must be 1 to 32 letters, digits and underscores, and not start with a digit',
)

/** The `schema` option of Postgres. */
export const schemaName: OptionReader<string> = passing<string>(
  (name) => typeof name === 'string' && isSchema(name),
  'must be the name of a schema: 1 to 63 bytes, without double quotes or control characters',
)

/** Returns the names of the tables. They are already validated and never come from outside, so they can be inserted into SQL. */
export const namesOf = (given: { readonly schema?: string | undefined; readonly tablePrefix?: string | undefined }): Names => ({
  ...(given.schema !== undefined && { schema: given.schema }),
  tablePrefix: given.tablePrefix ?? DEFAULT_TABLE_PREFIX,
})
