import type { Command } from 'commander'
import { isInvalidInput } from '../../errors.js'
import { CommandError, EXIT } from './fault.js'

/** If invalid input came from an option of this command, returns an error that names the option as people type it. Returns any other error unchanged. */
export function inOptions(command: Command, error: unknown): unknown {
  const [issue] = isInvalidInput(error) ? error.issues : []
  if (issue === undefined) return error
  const name = String(issue.path[0])
  const option = command.options.find((one) => [name, name.replace(/s$/, '')].includes(one.attributeName()))
  if (option?.long == null) return error
  // The field of a value in JSON, such as of a head. Positions in a list mean nothing on a command line.
  const inner = issue.path.slice(1).filter((part) => typeof part === 'string')
  const field = inner.length === 0 ? '' : `${inner.join('.')} `
  return new CommandError(EXIT.usage, `${option.long}: ${field}${issue.message} (invalid_input)`)
}
