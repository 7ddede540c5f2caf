import type { Command } from 'commander'
import type { Perform } from '../lib/command.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { writeTable } from '../lib/output.js'

export function addConsumers(program: Command, perform: Perform): void {
  const command = program
    .command('consumers')
    .summary('list the consumers of events, and how far each is behind')
    .description('Lists all consumers of audit events, including webhooks: those that run on any node, and those that no longer run.')
  perform(command, async ({ tokens, streams, answer }) => {
    const { store, consumers } = await tokens.health()
    if (!store.ok) throw new CommandError(EXIT.undecided, 'the store did not answer')
    const items = consumers.map(({ name, lagSeconds, deadLetters }) => ({ name, lagSeconds, deadLetters }))
    await answer({ items }, () =>
      writeTable(
        streams,
        ['consumer', 'behind', 'dead letters'],
        items.map(({ name, lagSeconds, deadLetters }) => [name, lagSeconds === undefined ? '' : `${lagSeconds.toFixed(1)} s`, deadLetters]),
      ),
    )
  })
}
