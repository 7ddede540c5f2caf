import type { Command } from 'commander'
import type { Perform } from '../lib/command.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { say } from '../lib/output.js'

export function addForgetConsumer(program: Command, perform: Perform): void {
  const command = program
    .command('forget-consumer')
    .summary('remove the position of a consumer that no longer runs')
    .description(
      'Removes the position of a consumer of events, and the dead letters of a webhook (webhook:<id>). Fails while a node is running the consumer. If that node has died, the command takes up to 30 seconds.',
    )
    .argument('<name>', 'name of the consumer, as `latchkey consumers` shows it')
  perform(command, async ({ handle, streams, answer, confirm }, _, [name = '']) => {
    await confirm(() => `Forget the consumer ${JSON.stringify(name)}? If it runs again, it starts over.`)
    if (!(await handle.forgetConsumer(name))) throw new CommandError(EXIT.failed, `there is no consumer ${JSON.stringify(name)}`)
    await answer({ forgotten: name }, () => say(streams, `Forgot the consumer ${JSON.stringify(name)}.`))
  })
}
