import { CommandError, EXIT } from './fault.js'

/** A row of a file, and the line on which it begins. */
export type Row = { readonly value: object; readonly line: number }

/** Returns the error that ends an import at an unreadable line. */
export function brokenLine(number: number, why: string): CommandError {
  return new CommandError(EXIT.usage, `line ${number} ${why}. Rows before it were processed. Fix the line and run the command again`)
}
