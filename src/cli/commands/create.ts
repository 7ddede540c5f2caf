import type { Command } from 'commander'
import type { CreateInput } from '../../model/record.js'
import type { Perform } from '../lib/command.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { lifetimeOf, mint } from '../lib/minted.js'
import { collect, given, numberOrText, readTerms, type Terms } from '../lib/read-values.js'

type Options = Terms & {
  readonly name?: string
  readonly inherit?: true
  readonly tenant?: string
  readonly owner?: string
}

export function addCreate(program: Command, perform: Perform): void {
  const command = program
    .command('create')
    .summary('create a token and show it once')
    .description('Creates a token. It is printed once, alone on standard output, and never stored.')
    .option('--name <name>', 'human-readable name of the token')
    .option('--scope <scope>', 'a scope, a wildcard or an @group to grant; repeatable', collect)
    .option('--inherit', 'grant whatever its owner may do, instead of scopes')
    .option('--description <text>', 'what the token is for')
    .option('--tenant <id>', 'the tenant that it belongs to (default: valid for every tenant)')
    .option('--owner <id>', 'the owner whose permissions limit it')
    .option('--resource <dimension=value>', 'data that the token is limited to; repeatable', collect)
    .option('--expires-in <duration>', 'its lifetime, such as 90d', numberOrText)
    .option('--expires-at <instant>', 'when it expires, such as 2030-01-31T12:00:00Z', numberOrText)
    .option('--not-before <instant>', 'when it becomes valid', numberOrText)
    .option('--allowed-ip <address>', 'an address or CIDR range that it works from; repeatable', collect)
    .option('--rotate-every <duration>', 'how often it should be rotated', numberOrText)
    .option('--metadata <json>', 'a JSON object with your own data')
  perform<Options>(command, async (session, options) => {
    const input = readInput(options)
    await mint(session, {
      create: () => session.handle.create(input),
      doubt: 'a token may have been created: if so, it is the first one in `latchkey list`; revoke it',
      sentenceOf: (record) =>
        `Created ${JSON.stringify(record.name)} (ID ${record.id}). The token ${lifetimeOf(record)} and is shown only once:`,
    })
  })
}

// The name is checked here, because commander reports a missing required option before the misspelled option that explains it.
// The library validates the values and names the invalid field.
function readInput(options: Options): CreateInput & { readonly idempotencyKey?: undefined } {
  if (options.name === undefined) throw new CommandError(EXIT.usage, 'give the token a name with --name')
  if (options.scope === undefined && options.inherit === undefined) {
    throw new CommandError(EXIT.usage, 'give the token its scopes with --scope, or use --inherit')
  }
  const { inherit, tenant: tenantId, owner: ownerId } = options
  return given({ ...readTerms(options), inherit, tenantId, ownerId }) as object as CreateInput & { readonly idempotencyKey?: undefined }
}
