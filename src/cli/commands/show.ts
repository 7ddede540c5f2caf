import type { Command } from 'commander'
import { mustGet } from '../../management/must-get.js'
import type { Perform } from '../lib/command.js'
import { writeFields } from '../lib/output.js'

export function addShow(program: Command, perform: Perform): void {
  const command = program
    .command('show')
    .summary('show everything about a token except its secret')
    .description("Shows the record of a token. The token's secret is not stored and cannot be shown.")
    .argument('<id>', 'ID of the token')
  perform(command, async ({ handle, streams, readId, answer }, _options, [given = '']) => {
    const id = await readId(given)
    const record = await mustGet(handle, id)
    await answer(record, () => writeFields(streams, record))
  })
}
