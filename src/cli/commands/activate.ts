import type { Command } from 'commander'
import type { Perform } from '../lib/command.js'
import { say } from '../lib/output.js'

export function addActivate(program: Command, perform: Perform): void {
  const command = program
    .command('activate')
    .summary('let a deactivated token work again')
    .description('Activates a deactivated token, so that it works again.')
    .argument('<id>', 'ID of the token')
  perform(command, async ({ handle, streams, readId, answer }, _options, [text = '']) => {
    const id = await readId(text)
    const before = await handle.get(id)
    const record = await handle.activate(id)
    const token = `${JSON.stringify(record.name)} (ID ${id})`
    const told = before?.version === record.version ? `${token} was already active. Nothing changed.` : `Activated ${token}.`
    await answer(record, () => say(streams, told))
  })
}
