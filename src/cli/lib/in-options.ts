import type { Command } from 'commander'
import { isInvalidInput } from '../../errors.js'
import { CommandError, EXIT } from './fault.js'

/** If invalid input came from an option of this command, returns an error that names the option as people type it. Returns any other error unchanged. */
export function inOptions(command: Command, error: unknown): unknown {
  const [issue] = isInvalidInput(error) ? error.issues : []
  if (issue === undefined) return error
  const name = String(issue.path[0])
  const option = command.options.find((one) => [name, name.replace(/s$/, '')].includes(one.attributeName()))
  return option?.long == null ? error : new CommandError(EXIT.usage, `${option.long}: ${issue.message} (invalid_input)`)
}
