import { InvalidInputError } from '../../../../src/errors.js'

/** Where the tables are, and what their names begin with. */
export type Names = { readonly schema?: string; readonly tablePrefix: string }

/** What table names begin with unless the options say otherwise. */
export const DEFAULT_TABLE_PREFIX = 'latchkey_'

/** Checks the names once, so that they can stand in SQL: they are never values from outside. */
export const readNames = (input: { readonly schema?: string | undefined; readonly tablePrefix?: string | undefined }): Names => {
  const tablePrefix = input.tablePrefix ?? DEFAULT_TABLE_PREFIX
  if (typeof tablePrefix !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]{0,31}$/.test(tablePrefix)) {
    throw new InvalidInputError('tablePrefix', 'must be 1 to 32 letters, digits and underscores, and not start with a digit')
  }
  if (input.schema === undefined) return { tablePrefix }
  if (typeof input.schema !== 'string' || !/^[A-Za-z_][A-Za-z0-9_$]{0,62}$/.test(input.schema)) {
    throw new InvalidInputError('schema', 'must be 1 to 63 letters, digits, underscores and dollar signs, and not start with a digit')
  }
  return { schema: input.schema, tablePrefix }
}
