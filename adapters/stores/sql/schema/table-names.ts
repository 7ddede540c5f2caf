import { InvalidInputError } from '../../../../src/errors.js'

/** Where the tables are, and what their names begin with. */
export type Names = { readonly schema?: string; readonly tablePrefix: string }

/** What table names begin with unless the options say otherwise. */
export const DEFAULT_TABLE_PREFIX = 'latchkey_'

/** A name that can stand in double quotes, in the dollar quotes of a migration too, and that Postgres does not cut. */
const isSchema = (name: string): boolean =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  /^[^"\u0000-\u001f\u007f]+$/.test(name) &&
  name.isWellFormed() &&
  !name.includes('$latchkey$') &&
  new TextEncoder().encode(name).length <= 63

/** Checks the names once, so that they can stand in SQL: they are never values from outside. */
export const readNames = (input: { readonly schema?: string | undefined; readonly tablePrefix?: string | undefined }): Names => {
  const tablePrefix = input.tablePrefix ?? DEFAULT_TABLE_PREFIX
  if (typeof tablePrefix !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]{0,31}$/.test(tablePrefix)) {
    throw new InvalidInputError('tablePrefix', 'must be 1 to 32 letters, digits and underscores, and not start with a digit')
  }
  if (input.schema === undefined) return { tablePrefix }
  if (typeof input.schema !== 'string' || !isSchema(input.schema)) {
    throw new InvalidInputError('schema', 'must be the name of a schema: 1 to 63 bytes, without double quotes and control characters')
  }
  return { schema: input.schema, tablePrefix }
}
