import type { Command } from 'commander'
import type { Perform } from '../lib/command.js'
import { say } from '../lib/output.js'

export function addDeactivate(program: Command, perform: Perform): void {
  const command = program
    .command('deactivate')
    .summary('deactivate a token until it is activated again')
    .description('Deactivates a token. Unlike a revocation, it can be undone with `activate`.')
    .argument('<id>', 'ID of the token')
  perform(command, async ({ handle, streams, readId, answer }, _options, [text = '']) => {
    const id = await readId(text)
    const before = await handle.get(id)
    const record = await handle.deactivate(id)
    const token = `${JSON.stringify(record.name)} (ID ${id})`
    const told = before?.version === record.version ? `${token} was already deactivated. Nothing changed.` : `Deactivated ${token}.`
    await answer(record, () => say(streams, told))
  })
}
