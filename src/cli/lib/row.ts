import { CommandError, EXIT } from './fault.js'

/** A row of a file, and the line on which it begins. */
export type Row = { readonly value: object; readonly line: number }

/** Ends an import at a line that cannot be read. */
export function brokenLine(number: number, why: string): CommandError {
  return new CommandError(EXIT.usage, `line ${number} ${why}. What was imported before it stays; run it again once it is mended`)
}
