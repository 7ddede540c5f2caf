import type { Command } from 'commander'
import { isInvalidInput } from '../../errors.js'
import { CommandError, EXIT } from './fault.js'

/** If invalid input came from an option of this command, returns an error that names the option as people type it. Returns any other error unchanged. */
export function inOptions(command: Command, error: unknown): unknown {
  if (!isInvalidInput(error) || error.field === undefined) return error
  const [name = ''] = error.field.split('.')
  const option = command.options.find((one) => [name, name.replace(/s$/, '')].includes(one.attributeName()))
  if (option?.long == null) return error
  return new CommandError(EXIT.usage, `${option.long}: ${error.message.slice(error.field.length + 2)} (${error.code})`)
}
