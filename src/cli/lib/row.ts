import { CommandError, EXIT } from './fault.js'

/** A row of a file, and the line on which it begins. */
export type Row = { readonly value: object; readonly line: number }

/** Ends an import at a line that cannot be read. */
export function brokenLine(number: number, why: string): CommandError {
  return new CommandError(EXIT.usage, `line ${number} ${why}. Rows before it were imported; fix the line and run the command again`)
}
