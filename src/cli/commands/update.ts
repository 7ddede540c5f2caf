import type { Command } from 'commander'
import type { UpdateInput } from '../../model/record.js'
import type { Perform } from '../lib/command.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { say } from '../lib/output.js'
import { collect, given, numberOrText, readTerms, type Terms } from '../lib/read-values.js'
import { choiceOption } from '../lib/suggest.js'

type Options = Terms & { readonly remove?: readonly string[] }

/** The fields that `--remove` can remove, by the name of the option that sets them. */
const REMOVABLE: ReadonlyMap<string, string> = new Map([
  ['description', 'description'],
  ['resource', 'resources'],
  ['expires-at', 'expiresAt'],
  ['not-before', 'notBefore'],
  ['allowed-ip', 'allowedIps'],
  ['rotate-every', 'rotateEvery'],
  ['metadata', 'metadata'],
])

export function addUpdate(program: Command, perform: Perform): void {
  const command = program
    .command('update')
    .summary('change the settings of a token')
    .description('Changes the settings of a token. Fields whose options are omitted stay unchanged; a list replaces the current list.')
    .argument('<id>', 'ID of the token')
    .option('--name <name>', 'human-readable name of the token')
    .option('--description <text>', 'what the token is for')
    .option('--scope <scope>', 'a scope, a wildcard or an @group; repeatable, replaces all current scopes', collect)
    .option('--resource <dimension=value>', 'data that the token is limited to; repeatable, replaces all current limits', collect)
    .option('--expires-in <duration>', 'its lifetime from now, such as 90d', numberOrText)
    .option('--expires-at <instant>', 'when it expires, such as 2030-01-31T12:00:00Z', numberOrText)
    .option('--not-before <instant>', 'when it becomes valid', numberOrText)
    .option('--allowed-ip <address>', 'an address or CIDR range that it works from; repeatable, replaces all current ones', collect)
    .option('--rotate-every <duration>', 'how often it should be rotated', numberOrText)
    .option('--metadata <json>', 'a JSON object with your own data')
    .addOption(choiceOption('--remove <what...>', 'remove these fields', [...REMOVABLE.keys()]))
  perform<Options>(command, async ({ handle, streams, readId, answer }, options, [text = '']) => {
    const changes = readChanges(options)
    const id = await readId(text)
    const record = await handle.update(id, changes)
    await answer(record, () => say(streams, `Updated ${JSON.stringify(record.name)} (ID ${id}) to version ${record.version}.`))
  })
}

function readChanges(options: Options): UpdateInput {
  const { expiresIn, remove = [] } = options
  const set = given(readTerms(options))
  const removed = remove.map((what) => REMOVABLE.get(what) ?? what)
  const twice = removed.find((field) => Object.hasOwn(set, field) || (field === 'expiresAt' && expiresIn !== undefined))
  if (twice !== undefined) throw new CommandError(EXIT.usage, `${twice} cannot be both set and removed`)
  const changes = { ...set, ...Object.fromEntries(removed.map((field) => [field, null])) }
  if (Object.keys(changes).length === 0) throw new CommandError(EXIT.usage, 'pass what to change, such as --name or --expires-in')
  return changes as object as UpdateInput
}
